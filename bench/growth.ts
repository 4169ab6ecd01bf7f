/** How time and memory of a step grow with the length of sequences, the batch and the model. */
import { attention } from "../kernels/attention.ts";
import { createStorage, type Device } from "../kernels/device.ts";
import { backward, createGraph } from "../kernels/graph.ts";
import { planPrograms } from "../kernels/program.ts";
import { externalTensor, sizeOf } from "../kernels/tensor.ts";
import type { ModelConfig } from "../models/config.ts";
import { parseModelConfig } from "../models/families/mod.ts";
import { modelTensors } from "../models/tensors.ts";
import { type Benchmark, type Candidate, type Row, timeInterleaved } from "./benchmark.ts";
import { type CaseRun, prepareCase } from "./case_run.ts";
import type { StepCase } from "./cases.ts";
import { openDevice } from "./environment.ts";
import { growthExponent } from "./fit.ts";
import { repeatsFor } from "./repeat.ts";

/** Steps of growing size. */
interface Series {
  /** What grows. */
  readonly name: string;
  /** The sizes. */
  readonly points: readonly { readonly size: number; readonly stepCase: StepCase }[];
}

function model({ hidden = 64, layers = 5 }: { hidden?: number; layers?: number }): ModelConfig {
  return parseModelConfig({
    model_type: "llama",
    vocab_size: 512,
    hidden_size: hidden,
    intermediate_size: hidden / 64 * 172,
    num_hidden_layers: layers,
    num_attention_heads: hidden / 8,
    num_key_value_heads: hidden / 16,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true,
  }, { name: "growth" });
}

function caseOf(
  { pairs = 4, length = 128, ...size }: { pairs?: number; length?: number; hidden?: number; layers?: number },
): StepCase {
  const [promptTokens, completionTokens] = [length / 4, length * 3 / 4];
  return { name: "growth", config: model(size), pairs, promptTokens, completionTokens, learningRate: 1e-6 };
}

const countParameters = (config: ModelConfig) =>
  modelTensors(config).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

const byParameters = (stepCase: StepCase) => ({ size: countParameters(stepCase.config), stepCase });

const series: readonly Series[] = [
  {
    name: "tokens of a sequence",
    points: [64, 128, 256, 512].map((length) => ({ size: length, stepCase: caseOf({ length }) })),
  },
  {
    name: "pairs of the batch",
    points: [1, 2, 4, 8].map((pairs) => ({ size: pairs, stepCase: caseOf({ pairs }) })),
  },
  {
    name: "parameters, by layers",
    points: [2, 4, 8, 16].map((layers) => byParameters(caseOf({ layers }))),
  },
  {
    name: "parameters, by width",
    points: [64, 128, 256].map((hidden) => byParameters(caseOf({ hidden }))),
  },
];

/** A timed sample takes about this long, or one step. */
const SAMPLE_MILLISECONDS = 200;

/** Exponents of time and memory. */
export const growth: Benchmark = {
  description: "How time and memory of a step grow with sequences, batch and model",
  flags: [],
  async *run({ rounds }) {
    const exponents: Row[] = [];
    for (const entry of series) {
      const rows = await timeSeries(entry, rounds);
      exponents.push(exponentsOf(entry, rows));
      yield { title: `Growth with ${entry.name}`, rows };
    }
    yield {
      title: "Exponents: a quantity grows as its size to the power of",
      rows: [...exponents, await attentionExponent()],
      notes: [
        "Least squares in logarithms of the fastest steps. 1 is linear; below it, a fixed part weighs in that larger sizes " +
        "spread. Attention alone computes every pair of a row and what it sees, so time grows a little faster than the " +
        "length; its memory must not.",
      ],
    };
  },
};

async function timeSeries({ points }: Series, rounds: number): Promise<Row[]> {
  const device = await openDevice();
  try {
    const runs: { size: number; run: CaseRun }[] = [];
    const candidates: Candidate[] = [];
    for (const { size, stepCase } of points) {
      const run = await prepareCase(device, stepCase, { reference: "frozen", sharePrompts: true });
      runs.push({ size, run });
      await run.time(1);
      const count = repeatsFor(await run.time(1), SAMPLE_MILLISECONDS);
      candidates.push({ name: `${size}`, run: () => run.time(count) });
    }
    const timings = await timeInterleaved(candidates, { rounds });
    return runs.map(({ size, run: { engine, shape } }) => ({
      size,
      rows: shape.rows,
      "median ms": timings.get(`${size}`)!.median,
      "min ms": timings.get(`${size}`)!.min,
      "activations MB": engine.memory.temporaries / 1e6,
      "all MB": engine.memory.total / 1e6,
    }));
  } finally {
    device.destroy();
  }
}

function exponentsOf({ name }: Series, rows: readonly Row[]): Row {
  const exponent = (column: string) =>
    growthExponent(rows.map((row) => [row.size as number, row[column] as number] as const));
  return {
    "grows with": name,
    time: exponent("min ms"),
    activations: exponent("activations MB"),
    "all memory": exponent("all MB"),
  };
}

/** Attention by itself, forward and backward, over one sequence: only planned, since its memory is known then. */
async function attentionExponent(): Promise<Row> {
  const device = await openDevice();
  try {
    const points = [64, 128, 256, 512].map((rows) => [rows, planAttention(device, rows)] as const);
    return {
      "grows with": "rows that attention sees, its memory",
      time: null,
      activations: growthExponent(points),
      "all memory": null,
    };
  } finally {
    device.destroy();
  }
}

function planAttention(device: Device, rows: number): number {
  const [heads, keyValueHeads, headSize] = [8, 4, 8];
  const graph = createGraph(device);
  const external = (shape: number[], gradient?: ReturnType<typeof externalTensor>) =>
    externalTensor(createStorage(device, { size: sizeOf(shape) * 4, label: "attention" }), {
      shape,
      ...(gradient ? { gradient } : {}),
    });
  const shape = [rows, (heads + 2 * keyValueHeads) * headSize];
  const attended = attention(graph, external(shape, external(shape)), {
    spans: external([rows, 4]),
    heads,
    keyValueHeads,
    headSize,
  });
  backward(graph, new Map([[attended, external([rows, heads * headSize])]]));
  return planPrograms([graph]).temporaries;
}
