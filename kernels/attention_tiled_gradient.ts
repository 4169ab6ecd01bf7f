/** WGSL of causal attention for GPUs, backward: see `attention_tile.ts` for how threads share a tile. */
import {
  dotProducts,
  entry,
  header,
  type Layout,
  layoutOf,
  lines,
  ownedSums,
  range,
  scoreTile,
  staged,
  stageKey,
  stageOutputGradient,
  stageQuery,
  stageValue,
  type TiledAttention,
  weightedSums,
  writeSums,
} from "./attention_tile.ts";

/** Where the four tiles are staged: each in an array of its own, or two at a time. */
function tilesOf({ shape }: Layout) {
  return shape.compact ? { names: ["left", "right"], q: "left", g: "left", k: "right", v: "right" } : {
    names: ["queries", "output_gradients", "keys", "values"],
    q: "queries",
    g: "output_gradients",
    k: "keys",
    v: "values",
  };
}

const barrier = "  workgroupBarrier();";

/** Text for kernels that can't keep all four tiles. */
const ifCompact = (l: Layout, parts: string[]) => l.shape.compact ? lines(parts) : "";

/**
 * Recomputes the weights of a tile and the gradient of its scores, into workgroup memory. Afterwards the output gradients
 * and values are staged, the queries and keys too unless the kernel is compact.
 */
function scoreGradients(l: Layout, { keepWeights }: { keepWeights: boolean }): string {
  const all = range(l.fragment);
  const { q, g, k, v } = tilesOf(l);
  return lines([
    ifCompact(l, [barrier, stageQuery(l, q), stageKey(l, k), barrier]),
    dotProducts(l, { name: "s", a: q, b: k }),
    ifCompact(l, [barrier, stageOutputGradient(l, g), stageValue(l, v), barrier]),
    dotProducts(l, { name: "g", a: g, b: v }),
    ...all.map((i) => {
      const stores = all.map((j) => {
        const at = `(y + ${8 * i}u) * ${l.tile + 1}u + x + ${8 * j}u`;
        const keep = keepWeights ? `weights[${at}] = w;` : "";
        return `{ let w = select(0.0, exp(s${i}_${j} * sizes.scale - log_sum), visible(q, k0 + x + ${
          8 * j
        }u, span));
      ${keep} score_gradients[${at}] = w * (g${i}_${j} - delta) * sizes.scale; }`;
      });
      return `  { let q = q0 + y + ${8 * i}u; let at = min(q, sizes.rows - 1u); let span = spans[at];
    let log_sum = log_sums[at * ${l.shape.heads}u + head]; let delta = deltas[at * ${l.shape.heads}u + head];
    ${stores.join(" ")} }`;
    }),
  ]);
}

/** Stages what `parts` say, unless the kernel is compact: then `scoreGradients` does. */
const unlessCompact = (l: Layout, parts: string[]) => l.shape.compact ? "" : lines(parts);

const backwardBindings = [
  "var<storage, read> qkv: array<vec4f>",
  "var<storage, read> output_gradient: array<vec4f>",
  "var<storage, read> spans: array<vec4u>",
  "var<storage, read> log_sums: array<f32>",
  "var<storage, read> deltas: array<f32>",
  "var<storage, read_write> qkv_gradient: array<vec4f>",
];

/** The queries' gradient. Bindings: qkv, output gradient, spans, log-sum-exp, delta, qkv gradient. Workgroups: query tiles × heads. */
export function tiledQueryGradientWgsl(shape: TiledAttention): string {
  const l = layoutOf(shape);
  const tiles = tilesOf(l);
  return `${header(backwardBindings)}
${staged(l, tiles.names)}
${scoreTile(l, "score_gradients")}
${entry}
  let head = group.y;
  let kv_head = head / ${shape.heads / shape.keyValueHeads}u;
  let q0 = group.x * ${l.tile}u;
  let first = spans[q0].x / ${l.tile}u * ${l.tile}u;
${unlessCompact(l, [stageQuery(l), stageOutputGradient(l)])}
${ownedSums(l, "dq")}
  let gap = gap_of(q0, ${l.tile}u);
  for (var k0 = first; k0 < min(sizes.rows, q0 + ${l.tile}u); k0 = next_block(k0 + ${l.tile}u, ${l.tile}u, gap)) {
${unlessCompact(l, [barrier, stageKey(l, tiles.k), stageValue(l, tiles.v), barrier])}
${scoreGradients(l, { keepWeights: false })}
${barrier}
${ifCompact(l, [stageKey(l, tiles.k), barrier])}
${weightedSums(l, { name: "dq", weights: "score_gradients", tile: tiles.k, transposed: false })}
  }
${
    writeSums(l, {
      name: "dq",
      to: "qkv_gradient",
      firstRow: "q0",
      offset: `head * ${l.vectors}u`,
      width: l.width,
    })
  }
}`;
}

/** The keys' and values' gradients. Bindings as for the queries. Workgroups: key tiles × key/value heads. */
export function tiledKeyValueGradientWgsl(shape: TiledAttention): string {
  const l = layoutOf(shape);
  const tiles = tilesOf(l);
  const group = shape.heads / shape.keyValueHeads;
  return `${header(backwardBindings)}
${staged(l, tiles.names)}
${scoreTile(l, "score_gradients")}
${scoreTile(l, "weights")}
${entry}
  let kv_head = group.y;
  let k0 = group.x * ${l.tile}u;
  var last = 0u;
  for (var i = 0u; i < ${l.tile}u; i++) { last = max(last, spans[min(k0 + i, sizes.rows - 1u)].w); }
${unlessCompact(l, [stageKey(l, tiles.k), stageValue(l, tiles.v)])}
${ownedSums(l, "dk")}
${ownedSums(l, "dv")}
  for (var member = 0u; member < ${group}u; member++) {
  let head = kv_head * ${group}u + member;
  for (var q0 = k0; q0 < last; q0 += ${l.tile}u) {
${unlessCompact(l, [barrier, stageQuery(l), stageOutputGradient(l), barrier])}
${scoreGradients(l, { keepWeights: true })}
${barrier}
${weightedSums(l, { name: "dv", weights: "weights", tile: tiles.g, transposed: true })}
${ifCompact(l, [barrier, stageQuery(l, tiles.q), barrier])}
${weightedSums(l, { name: "dk", weights: "score_gradients", tile: tiles.q, transposed: true })}
  }
  }
${
    writeSums(l, {
      name: "dk",
      to: "qkv_gradient",
      firstRow: "k0",
      offset: `(${shape.heads}u + kv_head) * ${l.vectors}u`,
      width: l.width,
    })
  }
${
    writeSums(l, {
      name: "dv",
      to: "qkv_gradient",
      firstRow: "k0",
      offset: `(${shape.heads + shape.keyValueHeads}u + kv_head) * ${l.vectors}u`,
      width: l.width,
    })
  }
}`;
}
