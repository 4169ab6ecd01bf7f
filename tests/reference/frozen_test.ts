import { assertEquals } from "@std/assert";
import { countUpdates } from "../../reference/forecast.ts";
import { frozen } from "../../reference/frozen.ts";

Deno.test("frozen never updates", () => {
  assertEquals(countUpdates(frozen(), { totalSteps: 1000 }), 0);
  assertEquals(frozen().description, { name: "frozen" });
});
