/** GFLOP/s of every kernel for matrix products, on the shapes that training has, and whether the rule picks the best. */
import { createStorage, type Device } from "../kernels/device.ts";
import { createGraph, type Graph } from "../kernels/graph.ts";
import { chooseVariant, matmul as recordMatmul, type MatmulVariant } from "../kernels/matmul.ts";
import { tiles } from "../kernels/matmul_tiled.ts";
import { compile } from "../kernels/program.ts";
import { externalTensor, sizeOf, type Tensor } from "../kernels/tensor.ts";
import { type Benchmark, type Candidate, type Row, type Table, timeInterleaved } from "./benchmark.ts";
import { openDevice } from "./environment.ts";
import { peakOf } from "./peak.ts";

/** A product of [m, k] and [k, n] matrices. */
interface Product {
  readonly name: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** N N, N T (a linear layer forward) or T N (its weight's gradient). */
  readonly layout: "NN" | "NT" | "TN";
}

/** The three products of a linear layer over `rows` rows. */
function linearLayer(name: string, size: { rows: number; inputs: number; outputs: number }): Product[] {
  const { rows, inputs, outputs } = size;
  return [
    { name: `${name} forward`, m: rows, n: outputs, k: inputs, layout: "NT" },
    { name: `${name} dX`, m: rows, n: inputs, k: outputs, layout: "NN" },
    { name: `${name} dW`, m: outputs, n: inputs, k: rows, layout: "TN" },
  ];
}

const products: readonly Product[] = [
  ...[512, 768, 1024].map((size) => ({ name: `${size}³`, m: size, n: size, k: size, layout: "NN" as const })),
  ...linearLayer("head 32000", { rows: 256, inputs: 288, outputs: 32_000 }),
  ...linearLayer("gate_up of M", { rows: 224, inputs: 288, outputs: 1536 }),
  ...linearLayer("down of M", { rows: 224, inputs: 768, outputs: 288 }),
  ...linearLayer("qkv of S", { rows: 896, inputs: 64, outputs: 128 }),
  ...linearLayer("head of S", { rows: 768, inputs: 64, outputs: 512 }),
];

/** A timed sample takes about this long: a wait for the device costs up to 11 ms, which is counted. */
const SAMPLE_MILLISECONDS = 400;
/** A kernel so many times slower than the best in warm-up is not timed again. */
const HOPELESS = 4;
/** A choice within this share of the best counts as the best: less is noise. */
const TOLERANCE = 0.9;

/** GFLOP/s by shape and kernel. */
export const matmul: Benchmark = {
  description: "Matrix products, every kernel on every shape, in GFLOP/s",
  flags: [],
  async *run({ rounds }) {
    const device = await openDevice();
    try {
      const rows: Row[] = [];
      const { gigaflops } = await peakOf(device, { rounds });
      for (const product of products) {
        const row = await timeProduct(device, product, rounds);
        const reached = row[row.chosen as string];
        rows.push({ ...row, "of peak": typeof reached === "number" ? reached / gigaflops : null });
      }
      yield tabulate(rows);
    } finally {
      device.destroy();
    }
  },
};

function tabulate(rows: Row[]): Table {
  return {
    title: "Matrix products, float32, operands in buffers: median GFLOP/s by kernel",
    rows,
    notes: [
      "tiles stage through workgroup memory; rows N are subgroup kernels with N rows a lane. chosen is what the rule " +
      `picks, verdict "slow" if it reaches less than ${
        TOLERANCE * 100
      } % of the best. of peak: its speed as a share of the adapter's multiply-adds in registers. ~ marks kernels over ` +
      `${HOPELESS} times slower than the best, run once only.`,
    ],
  };
}

async function timeProduct(device: Device, product: Product, rounds: number): Promise<Row> {
  const { name, m, n, k, layout } = product;
  const operands = createOperands(device, product);
  try {
    const warm = new Map<string, { once: number; variant: MatmulVariant }>();
    for (const variant of variantsFor(device, product)) {
      const run = await compileRepeated(device, { product, operands, variant, repeats: 1 });
      await run();
      warm.set(variantName(variant), { once: await run(), variant });
    }
    const best = Math.min(...[...warm.values()].map(({ once }) => once));
    const candidates: Candidate[] = [];
    for (const [name, { once, variant }] of warm) {
      if (once > HOPELESS * best) continue;
      const repeats = Math.max(1, Math.min(2000, Math.round(SAMPLE_MILLISECONDS / once)));
      candidates.push({
        name,
        run: await compileRepeated(device, { product, operands, variant, repeats }),
      });
    }
    const timings = await timeInterleaved(candidates, { rounds });

    const gigaflop = 2 * m * n * k / 1e9;
    const speed = (milliseconds: number) => gigaflop / milliseconds * 1000;
    const speeds = new Map([...timings].map(([name, { median }]) => [name, speed(median)]));
    const chosen = variantName(
      chooseVariant(createGraph(device), { batch: 1, m, n, k, transposeA: layout === "TN" }),
    );
    const reached = (speeds.get(chosen) ?? 0) / Math.max(...speeds.values());
    return {
      shape: name,
      layout,
      "m×n×k": `${m}×${n}×${k}`,
      ...Object.fromEntries(
        [...warm].map(([name, { once }]) => [name, speeds.get(name) ?? `~${speed(once).toPrecision(2)}`]),
      ),
      chosen,
      "of best": reached,
      verdict: reached >= TOLERANCE ? "ok" : "slow",
    };
  } finally {
    for (const { storage } of Object.values(operands)) storage.buffer!.destroy();
  }
}

type Operands = Readonly<Record<"a" | "b" | "result", Tensor>>;

function createOperands(device: Device, { m, n, k, layout }: Product): Operands {
  const create = (label: string, shape: [number, number]): Tensor => {
    const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i * 7919 % 1000) / 1000 - 0.5);
    const buffer = createStorage(device, { size: values.byteLength, label });
    device.gpu.queue.writeBuffer(buffer, 0, values);
    return externalTensor(buffer, { shape });
  };
  return {
    a: create("a", layout === "TN" ? [k, m] : [m, k]),
    b: create("b", layout === "NT" ? [n, k] : [k, n]),
    result: create("result", [m, n]),
  };
}

/** All tiles; the subgroup kernels that this shape can have, if the device has subgroups. */
function variantsFor({ subgroupSize }: Device, { m, n, k, layout }: Product): MatmulVariant[] {
  const tiled = Object.keys(tiles) as (keyof typeof tiles)[];
  const isAligned = n % 4 === 0 && k % 4 === 0 && (layout !== "TN" || m % 4 === 0);
  if (subgroupSize < 4 || !isAligned) return tiled;
  const most = layout === "TN" ? 4 * subgroupSize : 64;
  return [...tiled, ...[8, 16, 32, 64].filter((rows) => rows <= most).map((rows) => ({ rows }))];
}

const variantName = (variant: MatmulVariant) =>
  typeof variant === "string" ? variant : `rows ${variant.rows}`;

/** A function that runs the product `repeats` times in one submit and resolves to milliseconds for one. */
async function compileRepeated(
  device: Device,
  { product, operands, variant, repeats }: {
    product: Product;
    operands: Operands;
    variant: MatmulVariant;
    repeats: number;
  },
): Promise<() => Promise<number>> {
  const graph: Graph = createGraph(device);
  const { a, b, result } = operands;
  for (let i = 0; i < repeats; i++) {
    recordMatmul(graph, a, b, {
      transposeA: product.layout === "TN",
      transposeB: product.layout === "NT",
      output: result,
      variant,
    });
  }
  const [program] = await compile(device, { graphs: [graph] });
  return async () => {
    const start = performance.now();
    await program!.run().read();
    return (performance.now() - start) / repeats;
  };
}
