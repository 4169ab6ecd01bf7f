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
    [...entries].map(([name, { pieces: [piece] }]) => [name, piece!.segment, piece!.offset]),
    [["matrix", 0, 0], ["other", 0, 1024], ["norm", 0, 1280], ["bias", 0, 1536]],
  );
});

Deno.test("layoutParameters begins a new segment where one is full", () => {
  const { segments, entries } = layoutParameters(specs, { maximumBytes: 1024 });
  assertEquals(segments, [{ bytes: 1024, decayed: 256 }, { bytes: 768, decayed: 64 }]);
  const whole = (shape: number[], offset: number) => ({
    shape,
    dtype: "f32",
    pieces: [{ segment: 1, offset, start: 0, rows: shape[0]! }],
  });
  assertEquals<unknown>(entries.get("other"), whole([8, 8], 0));
  assertEquals<unknown>(entries.get("bias"), whole([3], 512));
  for (const { pieces, shape } of entries.values()) {
    const bytes = shape.reduce((a, b) => a * b, 4);
    assert(pieces[0]!.offset + bytes <= segments[pieces[0]!.segment]!.bytes);
  }
});

Deno.test("layoutParameters cuts a matrix that no segment can hold, 64 rows together", () => {
  const { segments, entries } = layoutParameters([{ name: "table", shape: [150, 4] }, ...specs], {
    maximumBytes: 1024,
  });
  assertEquals(entries.get("table")!.pieces, [
    { segment: 0, offset: 0, start: 0, rows: 64 },
    { segment: 1, offset: 0, start: 64, rows: 64 },
    { segment: 2, offset: 0, start: 128, rows: 22 },
  ]);
  assertEquals(segments.slice(0, 3).map(({ bytes, decayed }) => [bytes, decayed]), [
    [1024, 256],
    [1024, 256],
    [
      512,
      128,
    ],
  ]);
});

Deno.test("layoutParameters refuses what can't be cut, and a name given twice", () => {
  assertThrows(
    () => layoutParameters(specs, { maximumBytes: 768 }),
    RangeError,
    "The tensor matrix [20,10] takes 800 bytes and can't be cut; one binding of this device holds 768",
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
    const { shape, pieces: [piece] } = layout.entries.get(name)!;
    const { segment, offset } = piece!;
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
