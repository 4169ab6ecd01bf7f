import { assertEquals } from "@std/assert";
import { remember } from "../../kernels/remember.ts";

Deno.test("remember makes each variant once", () => {
  let made = 0;
  const text = remember(({ rows, add }: { rows: number; add: boolean }) => `${rows} ${add} ${made++}`);
  assertEquals(text({ rows: 1, add: true }), "1 true 0");
  assertEquals(text({ rows: 1, add: false }), "1 false 1");
  assertEquals(text({ rows: 1, add: true }), "1 true 0");
  assertEquals(made, 2);
});
