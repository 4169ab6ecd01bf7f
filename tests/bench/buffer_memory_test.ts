import { assertEquals } from "@std/assert";
import { watchBuffers } from "../../bench/buffer_memory.ts";
import { createStorage } from "../../kernels/device.ts";
import { testDevice } from "../kernels/harness.ts";

Deno.test("watchBuffers counts buffers that exist, and nothing once it is stopped", async () => {
  const device = await testDevice();
  const watch = watchBuffers();
  const [first, second] = [256, 1024].map((size) => createStorage(device, { size, label: "test" }));
  assertEquals(watch.bytes(), 1280);
  first!.destroy();
  assertEquals(watch.bytes(), 1024);
  watch.stop();
  createStorage(device, { size: 64, label: "test" }).destroy();
  second!.destroy();
  assertEquals(watch.bytes(), 1024);
});
