/** GFLOP/s of every kernel for matrix products, on the shapes that training has, and whether the rule picks the best. */
import { commonProducts, type NamedProduct } from "../cli/tune_products.ts";
import { createStorage, type Device } from "../kernels/device.ts";
import { createGraph, type Graph } from "../kernels/graph.ts";
import { matmul as recordMatmul } from "../kernels/matmul.ts";
import { ruleOfThumb } from "../kernels/matmul_choice.ts";
import { type MatmulVariant, possibleVariants, variantName } from "../kernels/matmul_variants.ts";
import { compile } from "../kernels/program.ts";
import { externalTensor, sizeOf, type Tensor } from "../kernels/tensor.ts";
import { type Benchmark, type Candidate, type Row, type Table, timeInterleaved } from "./benchmark.ts";
import { openDevice } from "./environment.ts";
import { peakOf } from "./peak.ts";

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
      for (const product of commonProducts) {
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
      "tiles stage through workgroup memory, ÷ N cut the inner size into N; subgroup M×N are kernels with M rows and N " +
      "columns a lane. chosen is what the rule " +
      `picks, verdict "slow" if it reaches less than ${
        TOLERANCE * 100
      } % of the best. of peak: its speed as a share of the adapter's multiply-adds in registers. ~ marks kernels over ` +
      `${HOPELESS} times slower than the best, run once only.`,
    ],
  };
}

async function timeProduct(device: Device, product: NamedProduct, rounds: number): Promise<Row> {
  const { name, m, n, k, transposeA, transposeB } = product;
  const operands = createOperands(device, product);
  try {
    const warm = new Map<string, { once: number; variant: MatmulVariant }>();
    for (const variant of possibleVariants(device, product)) {
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
    const chosen = variantName(ruleOfThumb(device, product));
    const reached = (speeds.get(chosen) ?? 0) / Math.max(...speeds.values());
    return {
      shape: name,
      layout: `${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`,
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

function createOperands(device: Device, { m, n, k, transposeA, transposeB }: NamedProduct): Operands {
  const create = (label: string, shape: [number, number]): Tensor => {
    const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i * 7919 % 1000) / 1000 - 0.5);
    const buffer = createStorage(device, { size: values.byteLength, label });
    device.gpu.queue.writeBuffer(buffer, 0, values);
    return externalTensor(buffer, { shape });
  };
  return {
    a: create("a", transposeA ? [k, m] : [m, k]),
    b: create("b", transposeB ? [n, k] : [k, n]),
    result: create("result", [m, n]),
  };
}

/** A function that runs the product `repeats` times in one submit and resolves to milliseconds for one. */
async function compileRepeated(
  device: Device,
  { product, operands, variant, repeats }: {
    product: NamedProduct;
    operands: Operands;
    variant: MatmulVariant;
    repeats: number;
  },
): Promise<() => Promise<number>> {
  const graph: Graph = createGraph(device);
  const { a, b, result } = operands;
  for (let i = 0; i < repeats; i++) {
    recordMatmul(graph, a, b, {
      transposeA: product.transposeA,
      transposeB: product.transposeB,
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
