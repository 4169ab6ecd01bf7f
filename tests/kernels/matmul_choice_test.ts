import { assertEquals, assertNotEquals } from "@std/assert";
import { createGraph } from "../../kernels/graph.ts";
import { matmul } from "../../kernels/matmul.ts";
import { chooseVariant, productKey } from "../../kernels/matmul_choice.ts";
import { tileBytes, tiles, tileThreads } from "../../kernels/matmul_tiled.ts";
import { type ProductShape, variantProblem } from "../../kernels/matmul_variants.ts";
import { testDevice, zeros } from "./harness.ts";

const device = await testDevice();

function shape([m, n, k]: readonly [number, number, number], rest: Partial<ProductShape> = {}): ProductShape {
  return { batch: 1, m, n, k, transposeA: false, transposeB: false, ...rest };
}

const software = { ...device, software: true, subgroupSize: 16, tuning: new Map() };
const gpu = { ...device, software: false, tuning: new Map() };

Deno.test("chooseVariant takes lanes only on software and for aligned sizes", () => {
  const isLanes = (sizes: readonly [number, number, number], rest: Partial<ProductShape> = {}) =>
    "rows" in chooseVariant(software, shape(sizes, rest));
  assertEquals(isLanes([512, 512, 512]), true);
  assertEquals(isLanes([510, 512, 512]), true);
  assertEquals(isLanes([512, 511, 512]), false);
  assertEquals(isLanes([512, 512, 511]), false);
  assertEquals(isLanes([510, 512, 512], { transposeA: true }), false);
  assertEquals(isLanes([512, 512, 512], { aligned: false }), false);
  assertEquals("rows" in chooseVariant({ ...software, subgroupSize: 0 }, shape([512, 512, 512])), false);
  assertEquals("rows" in chooseVariant(gpu, shape([512, 512, 512])), false);
});

Deno.test("chooseVariant takes rows that fit the batch, and no more than it has", () => {
  const rows = (m: number) => {
    const variant = chooseVariant(software, shape([m, 4096, 512], { transposeB: true }));
    return "rows" in variant ? variant.rows : 0;
  };
  // Multiples of rows that a lane may have, so that nothing need be computed in vain.
  for (const m of [48, 96, 112, 192, 224]) assertEquals(m % rows(m), 0, `${m} rows by ${rows(m)}`);
  assertEquals(rows(4), 4);
  assertEquals(rows(8), 8);
});

Deno.test("chooseVariant takes larger tiles for larger products, and splits what has few outputs and much to sum", () => {
  const choose = (...sizes: [number, number, number]) => chooseVariant(gpu, shape(sizes));
  assertEquals(choose(4096, 4096, 4096), { tile: "large" });
  assertEquals(choose(1024, 1024, 512), { tile: "wide" }); // 128 workgroups, of the largest tile 64
  assertEquals(choose(512, 512, 512), { tile: "medium" }); // 64 workgroups
  assertEquals(choose(512, 448, 512), { tile: "small" });
  assertEquals(choose(512, 512, 32), { tile: "deep" });
  // The gradient that a language model's head sends back: 15 workgroups of 64 × 64, and all of the vocabulary to sum.
  assertEquals(choose(192, 288, 32_000), { tile: "medium", splits: 9 });
  assertEquals(choose(32, 32, 600), { tile: "small", splits: 2 });
  assertEquals(choose(32, 32, 500), { tile: "small" });
});

Deno.test("chooseVariant keeps to the device's workgroup memory and threads", () => {
  const limited = (changed: Partial<GPUSupportedLimits>) => ({
    ...gpu,
    gpu: { limits: { ...limits, ...changed } } as unknown as GPUDevice,
  });
  const limits = {
    maxComputeWorkgroupStorageSize: 16_384, // what WebGPU guarantees
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupSizeX: 256,
  };
  // From the tiles' table: (64 + 4 + 64) × 32 floats, and (128 / 8) × (128 / 8) threads.
  assertEquals(tileBytes(tiles.deep), 16_896);
  assertEquals(tileThreads(tiles.large), 256);
  assertEquals(
    variantProblem(limited({}), { variant: { tile: "deep" }, product: shape([64, 64, 32]) }),
    `the deep tile takes 16896 bytes of workgroup memory, "${device.description}" has 16384`,
  );
  assertEquals(chooseVariant(limited({}), shape([512, 512, 32])), { tile: "medium" });
  const few = limited({ maxComputeInvocationsPerWorkgroup: 128 });
  assertEquals(chooseVariant(few, shape([4096, 4096, 4096])), { tile: "small" });
  const narrow = limited({ maxComputeWorkgroupSizeX: 128 });
  assertEquals(
    variantProblem(narrow, { variant: { tile: "large" }, product: shape([64, 64, 32]) }),
    `the large tile takes 256 threads, "${device.description}" has 128`,
  );
});

Deno.test("variantProblem refuses splits whose sums one binding can't hold", () => {
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } =
    device.gpu.limits;
  const limits = {
    maxComputeWorkgroupStorageSize,
    maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupSizeX,
    maxStorageBufferBindingSize: 2 ** 20,
    maxBufferSize: 2 ** 30,
  };
  const small = { ...gpu, gpu: { limits } as unknown as GPUDevice };
  const problem = (splits: number) =>
    variantProblem(small, { variant: { tile: "small", splits }, product: shape([256, 256, 4096]) });
  assertEquals(problem(4), undefined); // 4 × 256 × 256 float32 are 2²⁰ bytes
  assertEquals(
    problem(5),
    `the sums of 5 splits take 1310720 bytes, one binding of "${device.description}" holds 1048576`,
  );
});

Deno.test("chooseVariant takes what was measured, unless this product can't have it", () => {
  const product = shape([512, 512, 512]);
  const tuned = { ...gpu, tuning: new Map([[productKey(product), { tile: "large", splits: 4 } as const]]) };
  assertNotEquals(chooseVariant(gpu, product), { tile: "large", splits: 4 });
  assertEquals(chooseVariant(tuned, product), { tile: "large", splits: 4 });
  assertEquals(chooseVariant(tuned, shape([500, 512, 512])), { tile: "large", splits: 4 }); // the same bucket
  const batch = shape([512, 512, 512], { batch: 2 });
  tuned.tuning.set(productKey(batch), { tile: "large", splits: 4 });
  assertEquals(chooseVariant(tuned, batch), chooseVariant(gpu, batch)); // only one product can be split

  const graph = createGraph({
    ...device,
    tuning: new Map([[productKey(shape([8, 8, 8])), { tile: "wide" }]]),
  });
  matmul(graph, zeros(device, [8, 8]), zeros(device, [8, 8]));
  assertEquals(graph.dispatches.map(({ kernel }) => kernel.label), ["matmul NN wide"]);
});

Deno.test("productKey tells layouts and storage apart, and sizes by quarters of an octave", () => {
  assertEquals(productKey(shape([224, 1536, 288], { transposeB: true })), "NT 1×224×1536×320");
  assertEquals(productKey(shape([1, 3, 5], { transposeA: true })), "TN unaligned 1×1×3×5");
  assertEquals(productKey(shape([8, 8, 8], { packedB: true, aligned: false })), "NN bf16 unaligned 1×8×8×8");
  assertEquals(productKey(shape([193, 64, 64])), productKey(shape([224, 64, 64])));
  assertNotEquals(productKey(shape([192, 64, 64])), productKey(shape([193, 64, 64])));
});
