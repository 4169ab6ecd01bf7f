import { assertEquals, assertThrows } from "@std/assert";
import { attention } from "../../kernels/attention.ts";
import { cachedAttention, type CachedAttentionVariant } from "../../kernels/cached_attention.ts";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import { compile } from "../../kernels/program.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { readBuffer } from "../../models/weights.ts";
import {
  assertClose,
  filled,
  filledInput,
  randomValues,
  runOnce,
  testDevice,
  trainable,
  zeros,
} from "./harness.ts";

interface Heads {
  heads: number;
  keyValueHeads: number;
  headSize: number;
}

/** One row of a call: which sequence it belongs to and where. */
interface Row {
  sequence: number;
  position: number;
}

const VARIANTS: CachedAttentionVariant[] = ["workgroup", "registers"];
const SMALL: Heads = { heads: 2, keyValueHeads: 1, headSize: 8 };

const widthOf = ({ heads, keyValueHeads, headSize }: Heads) => (heads + 2 * keyValueHeads) * headSize;

/** Rows of `sequence` from position `from` to `to`, exclusive. */
const span = (sequence: number, from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, i) => ({ sequence, position: from + i }));

/** The definition in float64: all rows of all calls are known, and each sees those of its sequence up to its own. */
function reference(
  rows: readonly (Row & { qkv: ArrayLike<number> })[],
  { heads, keyValueHeads, headSize }: Heads,
): Float64Array[] {
  return rows.map((row) => {
    const seen = rows.filter(({ sequence, position }) =>
      sequence === row.sequence && position <= row.position
    );
    const result = new Float64Array(heads * headSize);
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor(head / (heads / keyValueHeads));
      const keyAt = (heads + shared) * headSize;
      const valueAt = (heads + keyValueHeads + shared) * headSize;
      const scores = seen.map(({ qkv }) => {
        let score = 0;
        for (let i = 0; i < headSize; i++) score += row.qkv[head * headSize + i]! * qkv[keyAt + i]!;
        return score / Math.sqrt(headSize);
      });
      const peak = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - peak), 0);
      seen.forEach(({ qkv }, k) => {
        const weight = Math.exp(scores[k]! - peak) / total;
        for (let i = 0; i < headSize; i++) result[head * headSize + i]! += weight * qkv[valueAt + i]!;
      });
    }
    return result;
  });
}

/** Runs calls one after another over one cache; returns the results row by row, and the cache. */
async function runCalls(
  calls: readonly (readonly Row[])[],
  options: Heads & { sequences: number; length: number; variant: CachedAttentionVariant },
): Promise<{ results: Float32Array[]; inputs: Float32Array[]; cache: Float32Array }> {
  const device = await testDevice();
  const { sequences, length, ...shape } = options;
  const cache = zeros(device, [sequences, length, 2 * shape.keyValueHeads * shape.headSize]);
  const width = widthOf(shape);
  const results: Float32Array[] = [], inputs: Float32Array[] = [];
  for (const [call, rows] of calls.entries()) {
    const values = randomValues(rows.length * width, { seed: call + 1, scale: 2 });
    const graph = createGraph(device);
    const list = (name: string, of: (row: Row) => number) =>
      filledInput(graph, name, { values: rows.map(of), shape: [rows.length] });
    const attended = cachedAttention(graph, filled(device, values, { shape: [rows.length, width] }), {
      ...shape,
      cache,
      sequenceOf: list("sequence_of", ({ sequence }) => sequence),
      positions: list("positions", ({ position }) => position),
    });
    output(graph, "attended", attended);
    const { attended: all } = await runOnce(graph);
    const out = shape.heads * shape.headSize;
    rows.forEach((_, i) => {
      results.push(all!.subarray(i * out, (i + 1) * out));
      inputs.push(values.subarray(i * width, (i + 1) * width));
    });
  }
  return { results, inputs, cache: await readBuffer(device, cache.storage.buffer!) };
}

const SHAPES: Heads[] = [
  SMALL,
  { heads: 4, keyValueHeads: 2, headSize: 12 },
  { heads: 3, keyValueHeads: 3, headSize: 80 },
  { heads: 8, keyValueHeads: 2, headSize: 64 },
  { heads: 2, keyValueHeads: 1, headSize: 128 },
];

for (const variant of VARIANTS) {
  for (const shape of SHAPES) {
    const name = `${shape.heads}/${shape.keyValueHeads} heads of ${shape.headSize}`;
    Deno.test(`cachedAttention (${variant}) of ${name} is the float64 definition over prompts, their rest and decoding`, async () => {
      // Two prompts packed end to end with padding between; the rest of one, past two chunks of 64 keys; then decoding.
      const padding = { sequence: 3, position: 0 };
      const calls = [
        [...span(0, 0, 5), padding, ...span(2, 0, 63)],
        [...span(2, 63, 131)],
        [{ sequence: 2, position: 131 }, padding, { sequence: 0, position: 5 }],
        [{ sequence: 1, position: 0 }, { sequence: 0, position: 6 }, { sequence: 2, position: 132 }],
      ];
      const { results, inputs } = await runCalls(calls, { ...shape, sequences: 3, length: 133, variant });
      const rows = calls.flat().map((row, i) => ({ ...row, qkv: inputs[i]! }));
      const real = rows.flatMap(({ sequence }, i) => sequence < 3 ? [i] : []);
      const expected = reference(real.map((i) => rows[i]!), shape);
      real.forEach((i, k) =>
        assertClose(results[i]!, expected[k]!, { tolerance: 2e-6, what: `${variant}, ${name}, row ${i}` })
      );
    });
  }

  Deno.test(`cachedAttention (${variant}) keeps keys and values where they belong; padding writes nothing and gives 0`, async () => {
    // Index arithmetic in 32 bits would take the last row for one of sequence 0: 2²⁸ caches of 4 × 4 vec4s are 2³².
    const calls = [[{ sequence: 2, position: 0 }, ...span(1, 0, 2), { sequence: 2 ** 28, position: 3 }]];
    const { results, inputs, cache } = await runCalls(calls, { ...SMALL, sequences: 2, length: 4, variant });
    const expected = new Float32Array(2 * 4 * 16); // [sequences, length, key and value of 8]
    expected.set(inputs[1]!.subarray(16), (1 * 4 + 0) * 16);
    expected.set(inputs[2]!.subarray(16), (1 * 4 + 1) * 16);
    assertEquals(cache, expected);
    assertEquals(results[0], new Float32Array(16));
    assertEquals(results[3], new Float32Array(16));
    // A row that sees only itself returns its value.
    assertClose(results[1]!, [...inputs[1]!.subarray(24), ...inputs[1]!.subarray(24)], {
      tolerance: 1e-6,
      what: "the first row",
    });
  });

  Deno.test(`cachedAttention (${variant}) agrees with the packed attention`, async () => {
    const shape = { heads: 4, keyValueHeads: 2, headSize: 16 };
    const lengths = [70, 3, 20];
    const rows = lengths.flatMap((length, sequence) => span(sequence, 0, length));
    const { results, inputs } = await runCalls([rows], { ...shape, sequences: 3, length: 70, variant });
    const device = await testDevice();
    const graph = createGraph(device);
    const values = Float32Array.from(inputs.flatMap((row) => [...row]));
    const spans = lengths.flatMap((length, sequence) => {
      const start = lengths.slice(0, sequence).reduce((a, b) => a + b, 0);
      return Array.from({ length }, () => [start, start + length, start + length, start + length]).flat();
    });
    const packed = attention(graph, filled(device, values, { shape: [rows.length, widthOf(shape)] }), {
      ...shape,
      spans: filledInput(graph, "spans", { values: spans, shape: [rows.length, 4] }),
    });
    output(graph, "packed", packed);
    const { packed: expected } = await runOnce(graph);
    const actual = results.flatMap((row) => [...row]);
    assertClose(actual, expected!, { tolerance: 2e-6, what: "cached" });
  });

  Deno.test(`cachedAttention (${variant}) stays exact where scores are far apart`, async () => {
    const device = await testDevice();
    const graph = createGraph(device);
    // Scores q k / √8 of one-hot vectors: −800, 0, 800, so that all but the last weigh nothing; then 800 twice.
    const row = (
      key: number,
      value: number,
    ) => [Math.sqrt(8), ...Array(7).fill(0), key, ...Array(7).fill(0), ...Array(8).fill(value)];
    const values = Float32Array.from([row(-800, 1), row(0, 2), row(800, 3), row(800, 5)].flat());
    const attended = cachedAttention(graph, filled(device, values, { shape: [4, 24] }), {
      heads: 1,
      keyValueHeads: 1,
      headSize: 8,
      cache: zeros(device, [1, 4, 16]),
      sequenceOf: filledInput(graph, "sequence_of", { values: [0, 0, 0, 0], shape: [4] }),
      positions: filledInput(graph, "positions", { values: [0, 1, 2, 3], shape: [4] }),
      variant,
    });
    output(graph, "attended", attended);
    const { attended: actual } = await runOnce(graph);
    assertClose(actual!, [1, 2, 3, 4].flatMap((value) => Array(8).fill(value)), {
      tolerance: 1e-6,
      what: variant,
    });
  });
}

/** Records the operation with some shapes replaced. */
async function record(
  shapes: { qkv?: number[]; cache?: number[]; positions?: number[] } & Partial<Heads>,
): Promise<void> {
  const { qkv = [3, 32], cache = [1, 4, 16], positions = [3], ...heads } = shapes;
  const graph = createGraph(await testDevice());
  const declare = (name: string, shape: number[]): Tensor => input(graph, name, { shape });
  cachedAttention(graph, declare("qkv", qkv), {
    ...SMALL,
    ...heads,
    cache: declare("cache", cache),
    sequenceOf: declare("sequence_of", [3]),
    positions: declare("positions", positions),
  });
}

Deno.test("cachedAttention names the shape that doesn't fit", async () => {
  const messageOf = (shapes: Parameters<typeof record>[0]) =>
    record(shapes).then(() => "nothing was thrown", (error: Error) => error.message);
  assertEquals(
    await messageOf({ qkv: [3, 40] }),
    "cachedAttention: qkv is [3,40], which doesn't hold 2 query and 2 × 1 key/value heads of 8",
  );
  assertEquals(
    await messageOf({ cache: [1, 4, 8] }),
    "cachedAttention: the cache is [1,4,8]; wanted [sequences, length, 16]",
  );
  assertEquals(
    await messageOf({ positions: [2] }),
    "cachedAttention: positions is [2] for 3 rows of qkv; wanted [3]",
  );
  assertEquals(
    await messageOf({ headSize: 6 }),
    "cachedAttention: 2 query and 2 × 1 key/value heads of 6; wanted a head size that 4 divides, up to 256, and query " +
      "heads that divide evenly",
  );
});

Deno.test("cachedAttention refuses to pass a gradient on", async () => {
  const device = await testDevice();
  const graph = createGraph(device);
  const attended = cachedAttention(graph, trainable(device, new Float32Array(32), [1, 32]), {
    ...SMALL,
    cache: zeros(device, [1, 4, 16]),
    sequenceOf: input(graph, "sequence_of", { shape: [1], dtype: "u32" }),
    positions: input(graph, "positions", { shape: [1], dtype: "u32" }),
  });
  assertThrows(
    () => backward(graph, new Map([[attended, attended]])),
    Error,
    "no gradient flows through a cache; train with attention()",
  );
});

Deno.test("cachedAttention's result is the same bits wherever its row lies in a call", async () => {
  const device = await testDevice();
  for (const variant of VARIANTS) {
    const values = randomValues(32, { seed: 5 });
    const graph = createGraph(device);
    const rows = 11;
    const spread = Float32Array.from({ length: rows * 32 }, (_, i) => values[i % 32]!);
    const attended = cachedAttention(graph, filled(device, spread, { shape: [rows, 32] }), {
      ...SMALL,
      cache: zeros(device, [rows, 2, 16]),
      sequenceOf: input(graph, "sequence_of", { shape: [rows], dtype: "u32" }),
      positions: input(graph, "positions", { shape: [rows], dtype: "u32" }),
      variant,
    });
    output(graph, "attended", attended);
    const [program] = await compile(device, { graphs: [graph] });
    program!.inputs.sequence_of!.set(Array.from({ length: rows }, (_, i) => i));
    for (const position of [0, 1]) {
      program!.inputs.positions!.fill(position);
      const { attended: results } = await program!.run().read();
      for (let i = 1; i < rows; i++) {
        assertEquals(
          results!.subarray(i * 16, (i + 1) * 16),
          results!.subarray(0, 16),
          `${variant}, row ${i}`,
        );
      }
    }
  }
});
