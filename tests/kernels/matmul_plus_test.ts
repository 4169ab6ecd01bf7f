/** Products that others are added to. */
import { assertEquals, assertThrows } from "@std/assert";
import { block } from "../../kernels/block.ts";
import { createGraph, type Graph, input, output } from "../../kernels/graph.ts";
import { matmul } from "../../kernels/matmul.ts";
import { type MatmulVariant, variantName } from "../../kernels/matmul_variants.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { assertClose, filled, packed, randomValues, runOnce, testDevice } from "./harness.ts";
import { product, transpose } from "./references/matmul.ts";

const device = await testDevice();
const lanes = device.subgroupSize;

/** Sums of up to 100 float32 products of numbers below 1, doubled in part: a few 1e-7 of the largest entry. */
const TOLERANCE = 2e-6;

const whole: readonly MatmulVariant[] = [
  { tile: "small" },
  { tile: "medium" },
  { tile: "wide" },
  { tile: "deep" },
  { tile: "large" },
  ...(lanes === 0 ? [] : [{ rows: 4 }, { rows: 72 }, { rows: 16, vectors: 2 }]),
];

/** One of each kind, the quickest to compile, for what doesn't depend on sizes. */
const samples: readonly MatmulVariant[] = [{ tile: "small" }, ...(lanes === 0 ? [] : [{ rows: 4 }])];

const layouts = [false, true].flatMap((transposeA) =>
  [false, true].map((transposeB) => ({ transposeA, transposeB }))
);

interface Case {
  variant: MatmulVariant;
  sizes: readonly [m: number, n: number, k: number];
  transposeA: boolean;
  transposeB: boolean;
  /** Whether the second right factors are stored transposed. */
  transposePlus: boolean;
  rank: number;
  /** Columns that products are added to; one product for all by default. */
  columns?: readonly (readonly [number, number])[];
  narrow?: boolean;
  add?: "residual" | "into" | "output";
  bias?: boolean;
  /** What `depth` forces. */
  depth?: number;
}

/** Numbers that bfloat16 holds. */
const values = (count: number, seed: number) =>
  randomValues(count, { seed }).map((value) => Math.round(value * 64) / 64);

/** A matrix as it is stored. */
function stored(matrix: Float32Array, [rows, columns]: readonly [number, number], transposed: boolean) {
  if (!transposed) return { values: new Float32Array(matrix), shape: [rows, columns] };
  const other = transpose({ values: matrix, rows, columns }).values;
  return { values: Float32Array.from(other), shape: [columns, rows] };
}

/** Records a product and what is added to it; returns the result in float64 too. */
function record(graph: Graph, options: Case): { result: Tensor; expected: Float64Array } {
  const { variant, sizes: [m, n, k], transposeA, transposeB, transposePlus, rank } = options;
  const columns = options.columns ?? [[0, n] as const];
  const tensor = ({ values, shape }: ReturnType<typeof stored>) => filled(device, values, { shape });
  const a = values(m * k, 1), b = values(k * n, 2), base = values(m * n, 3), bias = values(n, 4);
  const reduced = values(m * rank * columns.length, 5);
  const storedB = stored(b, [k, n], transposeB);
  const expected = product({ values: a, rows: m, columns: k }, { values: b, rows: k, columns: n });
  const isAdded = options.add === "residual" || options.add === "into";
  expected.forEach((_, i) => expected[i]! += (options.bias ? bias[i % n]! : 0) + (isAdded ? base[i]! : 0));
  const left = filled(device, reduced, { shape: [m, rank * columns.length] });
  const plus = columns.map(([start, end], i) => {
    const right = values(rank * (end - start), 6 + i);
    const scale = i + 0.5;
    for (let row = 0; row < m; row++) {
      for (let column = start; column < end; column++) {
        for (let r = 0; r < rank; r++) {
          expected[row * n + column]! += scale * reduced[(row * columns.length + i) * rank + r]! *
            right[r * (end - start) + column - start]!;
        }
      }
    }
    return {
      a: block(left, { columns: [i * rank, (i + 1) * rank] }),
      b: tensor(stored(right, [rank, end - start], transposePlus)),
      transposeB: transposePlus,
      scale,
      ...(options.columns ? { columns: [start, end] as const } : {}),
    };
  });
  const result = matmul(
    graph,
    tensor(stored(a, [m, k], transposeA)),
    options.narrow ? packed(device, storedB.values, storedB.shape) : tensor(storedB),
    {
      variant,
      transposeA,
      transposeB,
      plus,
      ...(options.add ? { [options.add]: filled(device, base, { shape: [m, n] }) } : {}),
      ...(options.bias ? { bias: filled(device, bias, { shape: [n] }) } : {}),
      ...(options.depth ? { depth: options.depth } : {}),
    },
  );
  return { result, expected };
}

/** Runs all cases in one program; each has to take so many launches. */
async function assertCases(cases: readonly (Case & { launches: number })[]): Promise<void> {
  const graph = createGraph(device);
  const expected = cases.map((each, i) => {
    const before = graph.dispatches.length;
    const { result, expected } = record(graph, each);
    assertEquals(graph.dispatches.length - before, each.launches, JSON.stringify(each));
    output(graph, `${i}`, result);
    return expected;
  });
  const results = await runOnce(graph);
  cases.forEach((each, i) => {
    assertClose(results[`${i}`]!, expected[i]!, { tolerance: TOLERANCE, what: JSON.stringify(each) });
  });
}

for (const layout of layouts) {
  const name = `${layout.transposeA ? "T" : "N"}${layout.transposeB ? "T" : "N"}`;
  Deno.test(`matmul ${name} adds another product by the same launch, whatever the layout and the sizes`, async () => {
    for (const variant of samples) {
      const form = { ...layout, variant, launches: 1 };
      const forms = [
        { ...form, transposePlus: false },
        { ...form, transposePlus: true, narrow: true },
      ];
      await assertCases([
        ...forms.map((form) => ({ ...form, sizes: [36, 68, 20] as const, rank: 12 })),
        ...("tile" in variant
          ? forms.map((form) => ({ ...form, sizes: [37, 66, 29] as const, rank: 5 }))
          : []),
      ]);
    }
  });
}

const simple = { transposeA: false, transposeB: true, transposePlus: true, rank: 8 } as const;

Deno.test("matmul adds another product by the same launch, with every variant", async () => {
  for (const variant of whole) {
    await assertCases([{ ...simple, variant, sizes: [132, 140, 20], launches: 1 }]);
  }
});

Deno.test("matmul adds another product beside bias, residual and what it is added to", async () => {
  for (const variant of samples) {
    await assertCases(([undefined, "residual", "into", "output"] as const).map((add) => ({
      ...simple,
      variant,
      sizes: [36, 72, 28],
      bias: true,
      launches: 1,
      ...(add ? { add } : {}),
    })));
  }
});

Deno.test("matmul adds products to columns of its own: by two launches where they are all columns, or after it", async () => {
  for (const variant of samples) {
    for (const transposeB of [true, false]) {
      const form = { ...simple, transposeB, variant, sizes: [36, 72, 28], bias: true } as const;
      const isTile = "tile" in variant;
      await assertCases([
        { ...form, columns: [[0, 24], [24, 72]], launches: 2 },
        { ...form, columns: [[0, 24], [24, 72]], add: "residual", narrow: true, launches: 2 },
        { ...form, columns: [[0, 24], [28, 72]], launches: 3 }, // leaves a gap
        { ...form, columns: [[0, 24], [24, 48], [48, 72]], add: "output", launches: 4 }, // too many
        ...(isTile ? [{ ...form, columns: [[0, 23], [23, 72]], add: "into", launches: 2 }] as const : []),
      ]);
    }
  }
});

Deno.test("matmul adds products by launches of their own where its inner size is split", async () => {
  await assertCases([
    { ...simple, variant: { tile: "small", splits: 2 }, sizes: [36, 72, 60], bias: true, launches: 3 },
    {
      ...simple,
      variant: { tile: "small", splits: 2 },
      sizes: [36, 72, 60],
      columns: [[0, 32], [32, 72]],
      launches: 4,
    },
  ]);
});

Deno.test({
  name: "matmul adds another product once where its depth is summed in pieces",
  ignore: lanes === 0,
  async fn() {
    const form = { ...simple, variant: { rows: 16 }, sizes: [36, 72, 44], depth: 16 } as const;
    await assertCases([
      { ...form, launches: 3 },
      { ...form, add: "residual", bias: true, columns: [[0, 32], [32, 72]], launches: 6 },
    ]);
  },
});

// A policy whose adapters are zero has to be its reference exactly, which is computed without them.
Deno.test("matmul keeps its bits where zero is added", async () => {
  const [m, n, k, rank] = [36, 72, 44, 8];
  for (const software of [true, false]) {
    for (const variant of [undefined, ...samples, ...(lanes === 0 ? [] : [{ rows: 16, vectors: 2 }])]) {
      const graph = createGraph({ ...device, software });
      const a = filled(device, randomValues(m * k, { seed: 1 }), { shape: [m, k] });
      const b = filled(device, randomValues(n * k, { seed: 2 }), { shape: [n, k] });
      const residual = filled(device, randomValues(m * n, { seed: 3 }), { shape: [m, n] });
      const reduced = filled(device, randomValues(m * rank, { seed: 4 }), { shape: [m, rank] });
      const zero = (rows: number) => filled(device, new Float32Array(rows * rank), { shape: [rows, rank] });
      const options = { transposeB: true, residual, ...(variant ? { variant } : {}) };
      const added = { a: reduced, transposeB: true, scale: 2 };
      const halves = [[0, 24], [24, n]] as const;
      output(graph, "plain", matmul(graph, a, b, options));
      output(graph, "one", matmul(graph, a, b, { ...options, plus: [{ ...added, b: zero(n) }] }));
      output(
        graph,
        "two",
        matmul(graph, a, b, {
          ...options,
          plus: halves.map((columns) => ({ ...added, b: zero(columns[1] - columns[0]), columns })),
        }),
      );
      const { plain, one, two } = await runOnce(graph);
      const what = variant === undefined ? "chosen" : variantName(variant);
      assertEquals(one, plain, `one, ${what}`);
      assertEquals(two, plain, `two, ${what}`);
    }
  }
});

Deno.test("matmul says which added products don't fit", () => {
  const graph = createGraph(device);
  const tensor = (name: string, shape: number[]) => input(graph, name, { shape });
  const a = tensor("a", [4, 8]), b = tensor("b", [8, 12]);
  const left = tensor("left", [4, 2]), right = tensor("right", [2, 12]);
  assertThrows(
    () => matmul(graph, a, b, { plus: [{ a: left, b: right, columns: [0, 8] }] }),
    RangeError,
    "matmul: the product is [4,12], what to add to its columns 0…8 is [4,12]",
  );
  assertThrows(
    () => matmul(graph, a, b, { plus: [{ a: left, b: tensor("five", [5, 12]) }] }),
    RangeError,
    "inner sizes 2 and 5 differ",
  );
  assertThrows(
    () => matmul(graph, a, b, { plus: [{ a: left, b: packed(device, new Float32Array(24), [2, 12]) }] }),
    TypeError,
    "is in bfloat16; what is added has to be in float32",
  );
});
