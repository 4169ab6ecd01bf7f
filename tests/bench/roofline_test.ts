import { assertEquals } from "@std/assert";
import { boundOf } from "../../bench/roofline.ts";

const peak = { gigaflops: 100, gigabytes: 10 };

Deno.test("boundOf takes the longer of arithmetic and memory", () => {
  // By hand: 1e9 operations at 100 GFLOP/s take 10 ms, 2e8 bytes at 10 GB/s take 20 ms.
  assertEquals(boundOf({ flops: 1e9, bytes: 2e8 }, peak), { milliseconds: 20, by: "memory" });
  assertEquals(boundOf({ flops: 4e9, bytes: 2e8 }, peak), { milliseconds: 40, by: "arithmetic" });
  assertEquals(boundOf({ flops: 0, bytes: 1e7 }, peak), { milliseconds: 1, by: "memory" });
});
