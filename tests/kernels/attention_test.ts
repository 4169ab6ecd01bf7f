import { assertEquals, assertThrows } from "@std/assert";
import { measureGroups, type PackedGroup, packGroups } from "../../data/pack.ts";
import {
  attention,
  type AttentionKernels,
  type HeadShape,
  subgroupAttention,
  tiledAttention,
} from "../../kernels/attention.ts";
import { tiledForwardWgsl } from "../../kernels/attention_tiled.ts";
import { tiledKeyValueGradientWgsl, tiledQueryGradientWgsl } from "../../kernels/attention_tiled_gradient.ts";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import {
  assertClose,
  filled,
  filledInput,
  randomValues,
  runOnce,
  testDevice,
  testDevices,
  watchGradient,
} from "./harness.ts";
import { attention as reference, attentionGradient, qkvWidth } from "./references/attention.ts";

const device = await testDevice();

/** Softmax over up to 50 scores of size 3, in float32: rounding is a few 1e-7 of the largest entry. */
const TOLERANCE = 3e-6;

/** A prompt and its completions by their numbers of tokens. */
type GroupLengths = readonly [prompt: number, ...completions: number[]];

const group = ([prompt, ...completions]: GroupLengths): PackedGroup => ({
  prompt: Array(prompt).fill(0),
  completions: completions.map((length) => Array(length).fill(0)),
});

/** What each row belongs to, row by row: derived from the lengths, not from the packed spans. */
function membership(groups: readonly GroupLengths[], rows: number): { group: number; completion: number }[] {
  const members = groups.flatMap(([prompt, ...completions], group) => [
    ...Array.from({ length: prompt }, () => ({ group, completion: -1 })),
    ...completions.flatMap((length, completion) =>
      Array.from({ length: length - 1 }, () => ({ group, completion }))
    ),
  ]);
  const padding = Array.from(
    { length: rows - members.length },
    (_, i) => ({ group: -1 - i, completion: -1 }),
  );
  return [...members, ...padding];
}

/** Runs attention over packed groups, forward and backward, and compares everything with float64. */
async function assertAttention(
  groups: readonly GroupLengths[],
  options: HeadShape & {
    padding?: number;
    kernels?: AttentionKernels;
    device?: typeof device;
    scale?: number;
  },
): Promise<void> {
  const { padding = 0, kernels, scale = 1.5, heads, keyValueHeads, headSize } = options;
  const packed = groups.map(group);
  const needed = measureGroups(packed);
  const rows = needed.rows + padding;
  const { spans } = packGroups(packed, { shape: { ...needed, rows } });
  const members = membership(groups, rows);
  const shape = { heads, keyValueHeads, headSize };
  const width = qkvWidth(shape);
  const qkv = randomValues(rows * width, { seed: 1, scale });
  const gradient = randomValues(rows * heads * headSize, { seed: 2 });

  const graph = createGraph(options.device ?? device);
  const x = filled(device, qkv, { shape: [rows, width] });
  watchGradient(graph, x, "gradient");
  const attended = attention(graph, x, {
    ...shape,
    spans: filledInput(graph, "spans", { values: spans, shape: [rows, 4] }),
    ...(kernels ? { kernels } : {}),
  });
  output(graph, "attended", attended);
  backward(graph, new Map([[attended, filled(device, gradient, { shape: [rows, heads * headSize] })]]));
  const results = await runOnce(graph);

  const definition = {
    ...shape,
    rows,
    sees: (query: number, key: number) =>
      key <= query && members[query]!.group === members[key]!.group &&
      (members[key]!.completion === -1 || members[key]!.completion === members[query]!.completion),
  };
  const expected = reference(qkv, definition);
  assertClose(results.attended!, expected, { tolerance: TOLERANCE, what: "attended" });
  // Queries, keys and values apart, so that none hides behind the largest entries of another.
  const byInput = attentionGradient(qkv, { ...definition, gradient });
  const part = (values: ArrayLike<number>, from: number, to: number) =>
    Array.from(values).filter((_, i) => i % width >= from && i % width < to);
  const ends = { dq: heads, dk: heads + keyValueHeads, dv: heads + 2 * keyValueHeads };
  let from = 0;
  for (const [what, end] of Object.entries(ends)) {
    const to = end * headSize;
    assertClose(part(results.gradient!, from, to), part(byInput, from, to), { tolerance: TOLERANCE, what });
    from = to;
  }
}

/** The device with another limit of workgroup memory. */
const limited = (bytes: number) => ({
  ...device,
  gpu: { limits: { maxComputeWorkgroupStorageSize: bytes } } as unknown as GPUDevice,
});

/** The kernels of one tile size, and the least workgroup memory, in KiB, with which they are chosen. */
function tiled(shape: HeadShape, tile: number): { kernels: AttentionKernels; bytes: number } {
  for (let bytes = 1024; bytes < 2 ** 20; bytes += 1024) {
    try {
      const kernels = tiledAttention(limited(bytes), shape);
      if (kernels.tile === tile) return { kernels, bytes };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // no tile fits yet
    }
  }
  throw new Error(`no limit makes tiles of ${tile}`);
}

for (const headSize of [64, 128]) {
  Deno.test(`attention in tiles, two at a time, heads of ${headSize}, is the float64 definition`, () => {
    const shape = { heads: 4, keyValueHeads: 2, headSize };
    const variant = { ...shape, fragment: headSize === 64 ? 2 : 1, compact: true } as const;
    return assertAttention([[11, 6, 9], [1, 4], [7, 1, 8], [2, 2, 3]], {
      ...shape,
      kernels: {
        tile: 8 * variant.fragment,
        forward: tiledForwardWgsl(variant),
        queryGradient: tiledQueryGradientWgsl(variant),
        keyValueGradient: tiledKeyValueGradientWgsl(variant),
      },
    });
  });
}

/** 45 rows: sequences that begin inside tiles, shared prompts, a completion without a row of its own. */
const packed: GroupLengths[] = [[11, 6, 9], [1, 4], [7, 1, 8], [2, 2, 3]];

/** Tiles for the head sizes that they are meant for. */
const tiles = [
  [8, [8, 16, 32]],
  [16, [32]],
  [64, [8, 16]],
  [80, [8, 16]],
  [96, [8]],
  [128, [8]],
  [256, [8]],
] as const;
for (const [headSize, sizes] of tiles) {
  for (const tile of sizes) {
    const shape = { heads: 4, keyValueHeads: 2, headSize };
    const { kernels, bytes } = tiled(shape, tile);
    Deno.test({
      name: `attention in tiles of ${tile}, heads of ${headSize}, is the float64 definition`,
      ignore: bytes > device.gpu.limits.maxComputeWorkgroupStorageSize,
      fn: () => assertAttention(packed, { ...shape, kernels }),
    });
  }
}

// One row of a block a lane, and rows divided among 2 to 16 lanes.
for (const headSize of [8, 12, 16, 48, 64, 80, 128]) {
  Deno.test({
    name: `attention in subgroups, heads of ${headSize}, is the float64 definition`,
    ignore: device.subgroupSize < 4,
    fn() {
      const shape = { heads: 4, keyValueHeads: 2, headSize };
      return assertAttention(packed, { ...shape, kernels: subgroupAttention(device, shape) });
    },
  });
}

for (const [kind, device] of Object.entries(await testDevices())) {
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test(`attention as chosen for ${kind} adapters ${name}`, fn);
  const small = { heads: 2, keyValueHeads: 1, headSize: 8, device };

  test("takes any number of rows", async () => {
    for (const rows of [1, 2, 15, 16, 17, 33]) await assertAttention([[rows, 1]], small);
  });
  test("shares keys among any number of heads", async () => {
    for (const [heads, keyValueHeads] of [[1, 1], [6, 2]] as const) {
      await assertAttention([[9, 5, 4], [3, 9]], { heads, keyValueHeads, headSize: 8, device });
    }
  });
  test("goes on from block to block of a long sequence", () => assertAttention([[50, 30, 20]], small));
  test("lets padding rows see nothing but themselves", () =>
    assertAttention([[5, 3]], { ...small, padding: 34 }));
  test("stays exact where scores are far apart", () =>
    // Scores up to ±400 in 8 dimensions: most weights vanish and the largest is near 1.
    assertAttention([[20, 5, 6]], { ...small, scale: 12 }));
}

Deno.test("attention says what doesn't fit", () => {
  const graph = createGraph(device);
  const qkv = input(graph, "qkv", { shape: [5, 32] });
  const spans = input(graph, "spans", { shape: [5, 4], dtype: "u32" });
  assertThrows(
    () => attention(graph, qkv, { spans, heads: 4, keyValueHeads: 2, headSize: 8 }),
    RangeError,
    "attention: qkv is [5,32], which doesn't hold 4 query and 2 × 2 key/value heads of 8",
  );
  assertThrows(() => attention(graph, qkv, { spans, heads: 3, keyValueHeads: 2, headSize: 4 }), RangeError);
  const narrow = input(graph, "narrow", { shape: [5, 24] });
  assertThrows(
    () => attention(graph, narrow, { spans, heads: 2, keyValueHeads: 1, headSize: 6 }),
    RangeError,
  );
});

Deno.test("tiledAttention takes the largest tile that fits, heads of 128 in 32 KiB included, and says if none does", () => {
  const shape = { heads: 8, keyValueHeads: 2, headSize: 128 };
  assertEquals(tiledAttention(limited(65536 * 2), shape).tile, 32);
  assertEquals(tiledAttention(limited(49152), shape).tile, 16);
  assertEquals(tiledAttention(limited(32768), shape).tile, 8);
  assertEquals(tiledAttention(limited(16384), { ...shape, headSize: 64 }).tile, 8);
  assertEquals(tiledAttention(limited(16384), shape).tile, 8); // two tiles at a time
  assertEquals(tiledAttention(limited(32768), { ...shape, headSize: 256 }).tile, 8);
  assertThrows(
    () => tiledAttention(limited(16384), { ...shape, headSize: 256 }),
    RangeError,
    `attention: heads of 256 need 17216 bytes of workgroup memory; "${device.description}" has 16384`,
  );
});
