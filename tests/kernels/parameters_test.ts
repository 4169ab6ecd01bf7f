import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  clearParameters,
  copyParameters,
  createParameters,
  layoutParameters,
  maximumSegmentBytes,
  type ParameterSet,
} from "../../kernels/parameters.ts";
import { readBuffer } from "../../models/weights.ts";
import { randomValues, testDevice } from "./harness.ts";

const device = await testDevice();

const specs = [
  { name: "norm", shape: [10] },
  { name: "matrix", shape: [20, 10] }, // 800 bytes, 1024 with padding
  { name: "other", shape: [8, 8] }, // 256 bytes
  { name: "bias", shape: [3] },
];

Deno.test("layoutParameters puts what decays first and aligns every tensor to 256 bytes", () => {
  const { segments, entries } = layoutParameters(specs, { maximumBytes: 1e6 });
  assertEquals(segments, [{ bytes: 1024 + 256 + 256 + 256, decayed: (1024 + 256) / 4 }]);
  assertEquals(
    [...entries].map(([name, { segment, offset }]) => [name, segment, offset]),
    [["matrix", 0, 0], ["other", 0, 1024], ["norm", 0, 1280], ["bias", 0, 1536]],
  );
});

Deno.test("layoutParameters begins a new segment where one is full", () => {
  const { segments, entries } = layoutParameters(specs, { maximumBytes: 1024 });
  assertEquals(segments, [{ bytes: 1024, decayed: 256 }, { bytes: 768, decayed: 64 }]);
  assertEquals(entries.get("other"), { segment: 1, offset: 0, shape: [8, 8], dtype: "f32" });
  assertEquals(entries.get("bias"), { segment: 1, offset: 512, shape: [3], dtype: "f32" });
  for (const { segment, offset, shape } of entries.values()) {
    const bytes = shape.reduce((a, b) => a * b, 4);
    assert(offset + bytes <= segments[segment]!.bytes);
  }
});

Deno.test("layoutParameters refuses a tensor larger than a binding, and a name given twice", () => {
  assertThrows(
    () => layoutParameters(specs, { maximumBytes: 768 }),
    RangeError,
    "The tensor matrix [20,10] takes 1024 bytes; one binding of this device holds 768",
  );
  assertThrows(
    () => layoutParameters([...specs, { name: "norm", shape: [4] }], { maximumBytes: 1e6 }),
    Error,
    "layoutParameters: two tensors are named norm",
  );
});

const bytesOf = async (
  set: ParameterSet,
) => (await Promise.all(set.buffers.map((b) => readBuffer(device, b))));

Deno.test("createParameters makes zeroed tensors with their gradients, which copy and clear whole", async () => {
  const layout = layoutParameters(specs, { maximumBytes: 1024 });
  const gradients = await createParameters(device, { layout, label: "gradients" });
  const set = await createParameters(device, { layout, label: "policy", gradients });
  const copy = await createParameters(device, { layout, label: "reference" });
  assertEquals(set.bytes, 1792);
  for (const [name, tensor] of set.tensors) {
    const { segment, offset, shape } = layout.entries.get(name)!;
    assertEquals(tensor.shape, shape);
    assertEquals(tensor.storage.buffer, set.buffers[segment]);
    assertEquals(tensor.storage.offset, offset);
    assertEquals(tensor.gradient, gradients.tensors.get(name));
    assertEquals(copy.tensors.get(name)!.gradient, undefined);
  }
  assertEquals(await bytesOf(set), [new Float32Array(256), new Float32Array(192)]);
  const values = [randomValues(256, { seed: 1 }), randomValues(192, { seed: 2 })];
  set.buffers.forEach((buffer, i) => device.gpu.queue.writeBuffer(buffer, 0, values[i]!));
  copyParameters(device, { from: set, to: copy });
  clearParameters(device, set);
  assertEquals(await bytesOf(copy), values);
  assertEquals(await bytesOf(set), [new Float32Array(256), new Float32Array(192)]);
});

Deno.test("maximumSegmentBytes is a multiple of the alignment within the device's limits", () => {
  const bytes = maximumSegmentBytes(device);
  assertEquals(bytes % 256, 0);
  assert(bytes <= device.gpu.limits.maxStorageBufferBindingSize && bytes < 2 ** 31);
});
