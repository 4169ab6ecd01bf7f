import { assertEquals, assertThrows } from "@std/assert";
import { block } from "../../kernels/block.ts";
import type { Device } from "../../kernels/device.ts";
import { backward, createGraph, type Graph, input, output } from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import { matmul } from "../../kernels/matmul.ts";
import { type MatmulVariant, variantName } from "../../kernels/matmul_variants.ts";
import { reshape, type Tensor } from "../../kernels/tensor.ts";
import { decodeToFloat32, encodeFromFloat32 } from "../../models/files/floats.ts";
import {
  assertClose,
  filled,
  filledInput,
  packed,
  randomValues,
  runOnce,
  testDevice,
  trainable,
  watchGradient,
  zeros,
} from "./harness.ts";
import { plus, product, transpose } from "./references/matmul.ts";

const device = await testDevice();
const lanes = device.subgroupSize;

/** Sums of up to 140 float32 products of numbers below 1: rounding is a few 1e-7 of the largest entry. */
const TOLERANCE = 2e-6;

interface Layout {
  transposeA: boolean;
  transposeB: boolean;
}

const layouts: Record<string, Layout> = {
  NN: { transposeA: false, transposeB: false },
  NT: { transposeA: false, transposeB: true },
  TN: { transposeA: true, transposeB: false },
  TT: { transposeA: true, transposeB: true },
};

/** [m, n, k]: smaller than any tile, ragged in every direction, more than one of the largest tiles. */
const alignedSizes = [[4, 8, 4], [36, 68, 28], [132, 140, 20]] as const;
const raggedSizes = [[1, 1, 1], [5, 7, 3], [37, 66, 29], [130, 133, 18]] as const;

/** op(a) · op(b) in float64. */
function expectedProduct(
  { transposeA, transposeB }: Layout,
  { a, b, sizes: [m, n, k] }: { a: Float32Array; b: Float32Array; sizes: readonly [number, number, number] },
): Float64Array {
  const left = { values: a, rows: transposeA ? k : m, columns: transposeA ? m : k };
  const right = { values: b, rows: transposeB ? n : k, columns: transposeB ? k : n };
  return product(transposeA ? transpose(left) : left, transposeB ? transpose(right) : right);
}

/** Records a product of random matrices and returns it in float64 too, plus the `base` it may be added to. */
function recordProduct(
  graph: Graph,
  { layout: { transposeA, transposeB }, sizes: [m, n, k], batch = 1, seed = 1, ...rest }: {
    layout: Layout;
    sizes: readonly [number, number, number];
    batch?: number;
    seed?: number;
    variant?: MatmulVariant;
    depth?: number;
    add?: "residual" | "into" | "output";
    /** Columns of a wider matrix before those that are the bias; none adds no bias. */
    biasStart?: number;
  },
): { result: Tensor; expected: Float64Array } {
  const { device } = graph;
  const a = randomValues(batch * m * k, { seed });
  const b = randomValues(batch * k * n, { seed: seed + 1 });
  const base = randomValues(batch * m * n, { seed: seed + 2, scale: 3 });
  const start = rest.biasStart ?? 0;
  const biases = randomValues(start + n, { seed: seed + 3, scale: 3 });
  const bias = filled(device, biases, { shape: [1, start + n] });
  const lead = batch === 1 ? [] : [batch];
  const tensorA = filled(device, a, { shape: [...lead, ...(transposeA ? [k, m] : [m, k])] });
  const tensorB = filled(device, b, { shape: [...lead, ...(transposeB ? [n, k] : [k, n])] });
  const result = matmul(graph, tensorA, tensorB, {
    transposeA,
    transposeB,
    ...(rest.variant === undefined ? {} : { variant: rest.variant }),
    ...(rest.depth === undefined ? {} : { depth: rest.depth }),
    ...(rest.add === undefined ? {} : { [rest.add]: filled(device, base, { shape: [...lead, m, n] }) }),
    ...(rest.biasStart === undefined
      ? {}
      : { bias: start === 0 ? reshape(bias, [n]) : block(bias, { columns: [start, start + n] }) }),
  });
  const products = Array.from({ length: batch }, (_, i) => {
    const ofA = a.subarray(i * m * k, (i + 1) * m * k);
    const ofB = b.subarray(i * k * n, (i + 1) * k * n);
    return [...expectedProduct({ transposeA, transposeB }, { a: ofA, b: ofB, sizes: [m, n, k] })];
  }).flat().map((value, i) => rest.biasStart === undefined ? value : value + biases[start + i % n]!);
  const added = rest.add === "residual" || rest.add === "into";
  return { result, expected: added ? plus(products, base) : Float64Array.from(products) };
}

/** Runs several products in one program and compares each. */
async function assertProducts(
  device: Device,
  products: readonly Parameters<typeof recordProduct>[1][],
): Promise<void> {
  const graph = createGraph(device);
  const expected = products.map((options, i) => {
    const { result, expected } = recordProduct(graph, { seed: 3 * i + 1, ...options });
    output(graph, `${i}`, result);
    return expected;
  });
  const results = await runOnce(graph);
  products.forEach(({ sizes, batch, add = "", biasStart = "" }, i) => {
    const what = `[${sizes}] ${batch ?? ""} ${add} ${biasStart}`;
    assertClose(results[`${i}`]!, expected[i]!, { tolerance: TOLERANCE, what });
  });
}

/** Every tile whole and split, and lanes with every way of loading `a`: fewer rows than lanes, more, and several loads of a column. */
const tiled: readonly MatmulVariant[] = [
  { tile: "small" },
  { tile: "medium" },
  { tile: "wide" },
  { tile: "deep" },
  { tile: "large" },
  { tile: "small", splits: 2 },
  { tile: "medium", splits: 3 },
];
const subgroup: readonly MatmulVariant[] = [{ rows: 4 }, { rows: 20 }, { rows: 72 }, {
  rows: 16,
  vectors: 2,
}];
const variants = lanes === 0 ? tiled : [...tiled, ...subgroup];
/** One of each kind, for what doesn't depend on sizes. */
const samples = variants.filter((variant) =>
  "tile" in variant ? variant.tile === "small" : variant.rows < 20
);

for (const [name, layout] of Object.entries(layouts)) {
  Deno.test(`matmul ${name} is the float64 product with every variant, whatever the sizes`, async () => {
    for (const variant of variants) {
      // Of the subgroup kernel only the rows of a plain left factor may be ragged.
      const ragged = "tile" in variant
        ? raggedSizes
        : layout.transposeA
        ? []
        : [[5, 8, 4], [67, 72, 12]] as const;
      await assertProducts(device, [...alignedSizes, ...ragged].map((sizes) => ({ layout, sizes, variant })));
    }
  });
}

Deno.test("matmul with every kind of variant adds a residual, adds to a tensor, writes to one, and takes batches", async () => {
  const sizes = [36, 68, 28] as const, ragged = [37, 66, 29] as const;
  const layout = layouts.NN!;
  for (const variant of samples) {
    const isSplit = "tile" in variant && variant.splits !== undefined;
    await assertProducts(device, [
      ...(["residual", "into", "output"] as const).map((add) => ({ layout, sizes, variant, add })),
      ...(isSplit ? [] : [
        ...Object.values(layouts).map((layout) => ({ layout, sizes, variant, batch: 3 })),
        { layout, sizes, variant, batch: 2, add: "residual" as const },
      ]),
      ...("tile" in variant ? ["residual", "into"] as const : []).map((add) => ({
        layout,
        sizes: ragged,
        variant,
        add,
      })),
    ]);
  }
});

Deno.test("matmul with every kind of variant adds a bias to every row", async () => {
  for (const variant of samples) {
    const isSplit = "tile" in variant && variant.splits !== undefined;
    const product = { layout: layouts.NT!, sizes: [36, 68, 28], variant, biasStart: 0 } as const;
    await assertProducts(device, [
      product,
      ...(["residual", "into", "output"] as const).map((add) => ({ ...product, add })),
      { ...product, layout: layouts.NN!, biasStart: 12 },
      ...(isSplit ? [] : [{ ...product, batch: 2, add: "residual" }] as const),
      // Columns that start anywhere, sizes that 4 doesn't divide.
      ...("tile" in variant
        ? [
          { ...product, biasStart: 3 },
          { ...product, sizes: [37, 66, 29], add: "residual" },
          { ...product, sizes: [37, 66, 29], add: "residual", biasStart: 5 },
        ] as const
        : []),
    ]);
  }
});

Deno.test("matmul with a bfloat16 right factor gives the bits of its float32 copy, with every variant and layout", async () => {
  for (const [name, layout] of Object.entries(layouts)) {
    const graph = createGraph(device);
    const cases = samples.flatMap((variant) =>
      ("tile" in variant ? [[36, 68, 44], [37, 66, 30]] as const : [[36, 68, 44]] as const).map((sizes) => ({
        variant,
        sizes,
      }))
    );
    cases.forEach(({ variant, sizes: [m, n, k] }, i) => {
      const a = filled(device, randomValues(m * k, { seed: i }), {
        shape: layout.transposeA ? [k, m] : [m, k],
      });
      const values = randomValues(k * n, { seed: i + 1 });
      const shape = layout.transposeB ? [n, k] : [k, n];
      const narrow = packed(device, values, shape);
      const wide = filled(device, decodeToFloat32(encodeFromFloat32(values, "BF16"), "BF16"), { shape });
      output(graph, `narrow ${i}`, matmul(graph, a, narrow, { ...layout, variant }));
      output(graph, `wide ${i}`, matmul(graph, a, wide, { ...layout, variant }));
    });
    const results = await runOnce(graph);
    cases.forEach(({ variant, sizes }, i) => {
      assertEquals(
        results[`narrow ${i}`],
        results[`wide ${i}`],
        `${name} ${variantName(variant)} [${sizes}]`,
      );
    });
  }
});

Deno.test("matmul takes part of a bfloat16 matrix that starts anywhere", async () => {
  const graph = createGraph(device);
  const [m, n, k] = [6, 5, 7];
  const a = randomValues(m * k, { seed: 1 });
  // Numbers of few bits, which bfloat16 holds exactly.
  const matrix = Float32Array.from({ length: 10 * 12 }, (_, i) => (i * 37 % 64 - 32) / 16);
  const b = block(packed(device, matrix, [10, 12]), { rows: [2, 2 + k], columns: [3, 3 + n] });
  output(graph, "c", matmul(graph, filled(device, a, { shape: [m, k] }), b));
  const { c } = await runOnce(graph);
  const part = Float32Array.from(
    { length: k * n },
    (_, i) => matrix[(2 + Math.floor(i / n)) * 12 + 3 + i % n]!,
  );
  const expected = product({ values: a, rows: m, columns: k }, { values: part, rows: k, columns: n });
  assertClose(c!, expected, { tolerance: TOLERANCE, what: "c" });
});

Deno.test("matmul left to choose a kernel adds a bias, and says which doesn't fit", async () => {
  for (const software of [true, false]) {
    const products = [...alignedSizes, ...raggedSizes].flatMap((sizes) =>
      [0, 3, 4].map((biasStart) => ({ layout: layouts.NT!, sizes, biasStart }))
    );
    await assertProducts({ ...device, software }, products);
  }
  const graph = createGraph(device);
  const tensor = (name: string, shape: number[]) => input(graph, name, { shape });
  assertThrows(
    () => matmul(graph, tensor("a", [4, 8]), tensor("b", [8, 2]), { bias: tensor("bias", [4]) }),
    RangeError,
    "matmul: the product has 2 columns, the bias is [4]; wanted [2]",
  );
});

for (const [name, layout] of Object.entries(layouts)) {
  Deno.test({
    name: `matmul ${name} summed in pieces of depth is the float64 product, whatever is added`,
    ignore: lanes === 0,
    async fn() {
      for (const add of [undefined, "residual", "into", "output"] as const) {
        const graph = createGraph(device);
        const sizes = [36, 68, 44] as const;
        const recorded = recordProduct(graph, {
          layout,
          sizes,
          batch: 2,
          variant: { rows: 16 },
          depth: 16, // 16, 16 and 12
          ...(add ? { add } : {}),
          ...(add === "output" ? {} : { biasStart: 4 }),
        });
        assertEquals(graph.dispatches.length, 3);
        output(graph, "result", recorded.result);
        const { result } = await runOnce(graph);
        assertClose(result!, recorded.expected, { tolerance: TOLERANCE, what: `${name} ${add ?? "alone"}` });
      }
    },
  });
}

Deno.test("matmul sums in pieces only where the inner size is huge and several workgroups read the same", () => {
  const launches = (m: number, n: number, k: number) => {
    const graph = createGraph(device);
    matmul(graph, input(graph, "a", { shape: [m, k] }), input(graph, "b", { shape: [k, n] }), {
      variant: { rows: 16 },
    });
    return graph.dispatches.length;
  };
  if (lanes === 0) return;
  assertEquals(launches(192, 288, 32000), 36); // 908 rows of 288 numbers are 1 MiB
  assertEquals(launches(16, 288, 32000), 1); // one row of workgroups: nothing is shared
  assertEquals(launches(192, 288, 4096), 1);
  assertEquals(launches(192, 32000, 288), 1);
});

Deno.test("matmul keeps what is not a number in the other matrices of a batch", async () => {
  const variants: readonly MatmulVariant[] = [
    { tile: "small" },
    { tile: "deep" },
    { tile: "large" },
    ...(lanes === 0 ? [] : [{ rows: 4 }]),
  ];
  for (const layout of Object.values(layouts)) {
    const graph = createGraph(device);
    const expected = variants.map((variant, i) => {
      // Ragged for tiles: one matrix ends within a tile, and the next begins there.
      const [m, n, k] = "tile" in variant ? [6, 10, 5] as const : [8, 12, 4] as const;
      const surround = (values: Float32Array) =>
        Float32Array.from({ length: 3 * values.length }, (_, at) => {
          const own = at - values.length;
          return own >= 0 && own < values.length ? values[own]! : NaN;
        });
      const a = randomValues(m * k, { seed: 1 }), b = randomValues(k * n, { seed: 2 });
      const tensorA = filled(device, surround(a), { shape: [3, ...(layout.transposeA ? [k, m] : [m, k])] });
      const tensorB = filled(device, surround(b), { shape: [3, ...(layout.transposeB ? [n, k] : [k, n])] });
      output(graph, `${i}`, matmul(graph, tensorA, tensorB, { ...layout, variant }));
      return expectedProduct(layout, { a, b, sizes: [m, n, k] });
    });
    const results = await runOnce(graph);
    expected.forEach((wanted, i) => {
      const own = results[`${i}`]!.subarray(wanted.length, 2 * wanted.length);
      assertClose(own, wanted, { tolerance: TOLERANCE, what: JSON.stringify(variants[i]) });
    });
  }
});

Deno.test("matmul left to choose a kernel is right for both kinds of adapter", async () => {
  for (const software of [true, false]) {
    await assertProducts(
      { ...device, software },
      [...alignedSizes, ...raggedSizes].flatMap((sizes) =>
        Object.values(layouts).map((layout) => ({ layout, sizes }))
      ),
    );
  }
});

Deno.test("matmul gives every row the same bits wherever it lies", async () => {
  const graph = createGraph(device);
  const row = randomValues(28, { seed: 1 });
  const a = Float32Array.from({ length: 70 * 28 }, (_, i) => row[i % 28]!);
  const b = filled(device, randomValues(28 * 68, { seed: 2 }), { shape: [28, 68] });
  output(graph, "c", matmul(graph, filled(device, a, { shape: [70, 28] }), b));
  const { c } = await runOnce(graph);
  for (let i = 1; i < 70; i++) {
    assertEquals(c!.subarray(i * 68, (i + 1) * 68), c!.subarray(0, 68), `row ${i}`);
  }
});

Deno.test("linear's gradients are dy W, dyᵀ x, which is added, and dy for the residual", async () => {
  const [rows, inputs, outputs] = [37, 20, 12];
  const graph = createGraph(device);
  const values = {
    x: randomValues(rows * inputs, { seed: 1 }),
    weight: randomValues(outputs * inputs, { seed: 2 }),
    residual: randomValues(rows * outputs, { seed: 3 }),
    before: randomValues(outputs * inputs, { seed: 4 }),
    dy: randomValues(rows * outputs, { seed: 5 }),
  };
  const x = filled(device, values.x, { shape: [rows, inputs] });
  const residual = filled(device, values.residual, { shape: [rows, outputs] });
  const gradient = filled(device, values.before, { shape: [outputs, inputs] });
  const weight = filled(device, values.weight, { shape: [outputs, inputs], gradient });
  watchGradient(graph, x, "dx");
  watchGradient(graph, residual, "dresidual");
  const y = linear(graph, x, { weight, residual });
  const dy = filledInput(graph, "dy", { values: values.dy, shape: [rows, outputs], dtype: "f32" });
  backward(graph, new Map([[y, dy]]));
  output(graph, "y", y);
  output(graph, "dw", gradient);
  const results = await runOnce(graph);

  const matrices = {
    x: { values: values.x, rows, columns: inputs },
    weight: { values: values.weight, rows: outputs, columns: inputs },
    dy: { values: values.dy, rows, columns: outputs },
  };
  const expected = {
    y: plus(product(matrices.x, transpose(matrices.weight)), values.residual),
    dx: product(matrices.dy, matrices.weight),
    dw: plus(product(transpose(matrices.dy), matrices.x), values.before),
    dresidual: values.dy,
  };
  for (const [name, wanted] of Object.entries(expected)) {
    assertClose(results[name]!, wanted, { tolerance: TOLERANCE, what: name });
  }
});

Deno.test("linear adds to the gradient of an input that another layer reads too", async () => {
  const graph = createGraph(device);
  const values = {
    x: randomValues(5 * 8, { seed: 1 }),
    first: randomValues(64, { seed: 2 }),
    second: randomValues(64, { seed: 3 }),
    dy: randomValues(5 * 8, { seed: 4 }),
  };
  const x = filled(device, values.x, { shape: [5, 8] });
  watchGradient(graph, x, "dx");
  const layer = (weight: Float32Array<ArrayBuffer>) =>
    linear(graph, x, { weight: filled(device, weight, { shape: [8, 8] }) });
  const dy = filled(device, values.dy, { shape: [5, 8] });
  backward(graph, new Map([[layer(values.first), dy], [layer(values.second), dy]]));
  const { dx } = await runOnce(graph);
  const through = (weight: ArrayLike<number>) =>
    product({ values: values.dy, rows: 5, columns: 8 }, { values: weight, rows: 8, columns: 8 });
  assertClose(dx!, plus(through(values.first), through(values.second)), { tolerance: TOLERANCE, what: "dx" });
});

Deno.test("linear records no gradient that nobody needs", () => {
  const graph = createGraph(device);
  const x = zeros(device, [4, 8]);
  const frozen = linear(graph, x, { weight: zeros(device, [8, 8]) });
  const trained = linear(graph, frozen, { weight: trainable(device, new Float32Array(64), [8, 8]) });
  const forward = graph.dispatches.length;
  backward(graph, new Map([[trained, zeros(device, [4, 8])]]));
  assertEquals(graph.dispatches.slice(forward).map(({ bindings }) => bindings[2]![0].shape), [[8, 8]]);
});

Deno.test("matmul says which sizes don't fit", () => {
  const graph = createGraph(device);
  const tensor = (name: string, shape: number[]) => input(graph, name, { shape });
  const a = tensor("a", [4, 8]), b = tensor("b", [9, 2]), c = tensor("c", [8, 2]);
  assertThrows(
    () => matmul(graph, a, b),
    RangeError,
    "matmul: a is [4,8] and b is [9,2]; inner sizes 8 and 9 differ",
  );
  assertThrows(
    () => matmul(graph, a, b, { transposeB: true }),
    RangeError,
    "matmul: a is [4,8] and b is [9,2]ᵀ; inner sizes 8 and 2 differ",
  );
  assertThrows(
    () => matmul(graph, tensor("batch a", [2, 4, 8]), tensor("batch b", [3, 8, 2])),
    RangeError,
    "batches 2 and 3 differ",
  );
  for (const option of ["residual", "into", "output"]) {
    assertThrows(
      () => matmul(graph, a, c, { [option]: b }),
      RangeError,
      "matmul: the product is [4,2], what to add it to or write it to is [9,2]",
    );
  }
  const result = tensor("result", [4, 2]);
  for (const option of ["residual", "output"]) {
    assertThrows(
      () => matmul(graph, a, c, { into: result, [option]: result }),
      Error,
      "give neither `residual` nor `output` with it",
    );
  }
  const problem = (message: string, changed: Partial<Device>, variant: MatmulVariant) =>
    assertThrows(
      () =>
        matmul(createGraph({ ...device, ...changed }), zeros(device, [4, 8]), zeros(device, [8, 4]), {
          variant,
        }),
      RangeError,
      message,
    );
  problem("has no subgroup operations of a fixed size", { subgroupSize: 0 }, { rows: 4 });
  problem("takes a multiple of 4 rows, up to 160", { subgroupSize: 16 }, { rows: 6 });
  problem("takes a multiple of 4 rows, up to 160", { subgroupSize: 16 }, { rows: 96, vectors: 2 });
  problem("1 splits of 1 products", {}, { tile: "small", splits: 1 });
  const half = packed(device, new Float32Array(32), [4, 8]);
  assertThrows(() => matmul(graph, half, c), TypeError, 'matmul: "bfloat16" is in bfloat16; only b may be');
});
