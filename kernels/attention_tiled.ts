/**
 * WGSL of causal attention for GPUs: tiles of queries and keys in workgroup memory, running softmax, no T × T matrix.
 *
 * 64 threads form an 8 × 8 grid over a square tile of scores; thread (x, y) owns rows y, y + 8, … and columns x, x + 8, …
 * of it. Strided rows with one vec4 of padding keep the threads of a row in different memory banks. The backward pass
 * has one kernel that owns query tiles (dq) and one that owns key tiles (dk, dv), so no sum needs atomics.
 */

/** Shape of an attention kernel. */
export interface TiledAttention {
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads; each serves heads / keyValueHeads query heads. */
  readonly keyValueHeads: number;
  /** Elements of a head, a multiple of 4. */
  readonly headSize: number;
  /** Scores a thread owns in each direction: the tile has 8 × fragment rows and columns. */
  readonly fragment: 1 | 2 | 4;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const lines = (parts: string[]) => parts.join("\n");

/** Bytes of workgroup memory that the largest of the three kernels takes. */
export function tiledAttentionWorkgroupBytes({ headSize, fragment }: TiledAttention): number {
  const tile = 8 * fragment;
  return 4 * tile * (headSize / 4 + 1) * 16 + 2 * tile * (tile + 1) * 4;
}

interface Layout {
  tile: number;
  fragment: number;
  vectors: number; // vec4s in a head
  stride: number; // vec4s between rows of a staged tile
  owned: number; // vec4s of an output row that a thread owns
  width: number; // vec4s in a row of qkv
  outWidth: number; // vec4s in a row of the attention's output
  shape: TiledAttention;
}

function layoutOf(shape: TiledAttention): Layout {
  const vectors = shape.headSize / 4;
  return {
    tile: 8 * shape.fragment,
    fragment: shape.fragment,
    vectors,
    stride: vectors + 1,
    owned: Math.ceil(vectors / 8),
    width: (shape.heads + 2 * shape.keyValueHeads) * vectors,
    outWidth: shape.heads * vectors,
    shape,
  };
}

/** Declarations that the kernels share. A span says which keys a row sees: [x, y) and [z, itself]; w ends the rows that see it. */
function header(bindings: readonly string[]): string {
  return lines([
    "struct Sizes { rows: u32, scale: f32 }",
    ...bindings.map((binding, i) => `@group(0) @binding(${i}) ${binding};`),
    `@group(0) @binding(${bindings.length}) var<uniform> sizes: Sizes;`,
    "fn visible(query: u32, key: u32, span: vec4u) -> bool {",
    "  return query < sizes.rows && key <= query && key >= span.x && (key < span.y || key >= span.z);",
    "}",
  ]);
}

const entry = `@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let x = thread % 8u;
  let y = thread / 8u;`;

/** Stages `tile` rows of one head; rows beyond the end are zero. */
function stage(l: Layout, { to, from, firstRow, offset, width }: {
  to: string;
  from: string;
  firstRow: string;
  offset: string;
  width: number;
}): string {
  return `  for (var i = thread; i < ${l.tile * l.vectors}u; i += 64u) {
    let r = i / ${l.vectors}u; let v = i % ${l.vectors}u;
    var value = vec4f();
    if (${firstRow} + r < sizes.rows) { value = ${from}[(${firstRow} + r) * ${width}u + ${offset} + v]; }
    ${to}[r * ${l.stride}u + v] = value;
  }`;
}

const stageQuery = (l: Layout) =>
  stage(l, { to: "queries", from: "qkv", firstRow: "q0", offset: `head * ${l.vectors}u`, width: l.width });
const stageKey = (l: Layout, to: string) =>
  stage(l, {
    to,
    from: "qkv",
    firstRow: "k0",
    offset: `(${l.shape.heads}u + kv_head) * ${l.vectors}u`,
    width: l.width,
  });
const stageValue = (l: Layout, to: string) =>
  stage(l, {
    to,
    from: "qkv",
    firstRow: "k0",
    offset: `(${l.shape.heads + l.shape.keyValueHeads}u + kv_head) * ${l.vectors}u`,
    width: l.width,
  });
const stageOutputGradient = (l: Layout) =>
  stage(l, {
    to: "output_gradients",
    from: "output_gradient",
    firstRow: "q0",
    offset: `head * ${l.vectors}u`,
    width: l.outWidth,
  });

const staged = (l: Layout, names: readonly string[]) =>
  lines(names.map((name) => `var<workgroup> ${name}: array<vec4f, ${l.tile * l.stride}>;`));
const scoreTile = (l: Layout, name: string) =>
  `var<workgroup> ${name}: array<f32, ${l.tile * (l.tile + 1)}>;`;

/** `name`i_j += row (y + 8i) of `a` · row (x + 8j) of `b`. */
function dotProducts(l: Layout, { name, a, b }: { name: string; a: string; b: string }): string {
  const all = range(l.fragment);
  return lines([
    ...all.flatMap((i) => all.map((j) => `  var ${name}${i}_${j} = 0.0;`)),
    `  for (var v = 0u; v < ${l.vectors}u; v++) {`,
    ...all.map((i) =>
      `    let a${i} = ${a}[(y + ${8 * i}u) * ${l.stride}u + v]; let b${i} = ${b}[(x + ${
        8 * i
      }u) * ${l.stride}u + v];`
    ),
    ...all.flatMap((i) => all.map((j) => `    ${name}${i}_${j} += dot(a${i}, b${j});`)),
    "  }",
  ]);
}

const ownedSums = (l: Layout, name: string) =>
  lines(range(l.fragment).flatMap((i) => range(l.owned).map((c) => `  var ${name}${i}_${c} = vec4f();`)));

/** `name`[row][column] += Σ_k weights[row][k] · tile[k][column] over the owned rows and columns. */
function weightedSums(l: Layout, { name, weights, tile, transposed }: {
  name: string;
  weights: string;
  tile: string;
  transposed: boolean;
}): string {
  return lines([
    `  for (var k = 0u; k < ${l.tile}u; k++) {`,
    ...range(l.owned).map((c) =>
      `    let t${c} = ${tile}[k * ${l.stride}u + min(x + ${8 * c}u, ${l.vectors - 1}u)];`
    ),
    ...range(l.fragment).map((i) => {
      const row = `(y + ${8 * i}u)`;
      const at = transposed ? `k * ${l.tile + 1}u + ${row}` : `${row} * ${l.tile + 1}u + k`;
      return `    { let w = ${weights}[${at}]; ${
        range(l.owned).map((c) => `${name}${i}_${c} += w * t${c};`).join(" ")
      } }`;
    }),
    "  }",
  ]);
}

/** Writes the owned rows and columns of a sum. */
function writeSums(l: Layout, { name, to, firstRow, offset, width, factor = "" }: {
  name: string;
  to: string;
  firstRow: string;
  offset: string;
  width: number;
  factor?: string;
}): string {
  return lines(
    range(l.fragment).map((i) => {
      const writes = range(l.owned).map((c) => {
        const guard = (c + 1) * 8 > l.vectors ? `if (x + ${8 * c}u < ${l.vectors}u) ` : "";
        return `${guard}{ ${to}[r * ${width}u + ${offset} + x + ${8 * c}u] = ${name}${i}_${c}${
          factor.replaceAll("#", `${i}`)
        }; }`;
      });
      return `  { let r = ${firstRow} + y + ${8 * i}u; if (r < sizes.rows) { ${writes.join(" ")} } }`;
    }),
  );
}

/** Attention forward. Bindings: qkv, spans, output, log-sum-exp. Workgroups: query tiles × heads. */
export function tiledForwardWgsl(shape: TiledAttention): string {
  const l = layoutOf(shape);
  const all = range(l.fragment);
  const reduceRow = (i: number, operation: (a: string, b: string) => string) =>
    range(8).map((k) => `reduce[(y + ${8 * i}u) * 8u + ${k}u]`).reduce(operation);
  return `${
    header([
      "var<storage, read> qkv: array<vec4f>",
      "var<storage, read> spans: array<vec4u>",
      "var<storage, read_write> result: array<vec4f>",
      "var<storage, read_write> log_sums: array<f32>",
    ])
  }
${staged(l, ["queries", "keys"])}
${scoreTile(l, "weights")}
var<workgroup> reduce: array<f32, ${l.tile * 8}>;
${entry}
  let head = group.y;
  let kv_head = head / ${shape.heads / shape.keyValueHeads}u;
  let q0 = group.x * ${l.tile}u;
${stageQuery(l)}
${
    lines(all.map((i) =>
      `  let span${i} = spans[min(q0 + y + ${
        8 * i
      }u, sizes.rows - 1u)]; var peak${i} = -1e30; var total${i} = 0.0;`
    ))
  }
${ownedSums(l, "out")}
  let first = spans[q0].x / ${l.tile}u * ${l.tile}u;
  for (var k0 = first; k0 < min(sizes.rows, q0 + ${l.tile}u); k0 += ${l.tile}u) {
  workgroupBarrier();
${stageKey(l, "keys")}
  workgroupBarrier();
${dotProducts(l, { name: "s", a: "queries", b: "keys" })}
${
    lines(all.map((i) => {
      const masked = all.map((j) =>
        `s${i}_${j} = select(-1e30, s${i}_${j} * sizes.scale, visible(q0 + y + ${8 * i}u, k0 + x + ${
          8 * j
        }u, span${i}));`
      );
      const highest = all.map((j) => `s${i}_${j}`).reduce((a, b) => `max(${a}, ${b})`);
      return `  ${masked.join(" ")} reduce[(y + ${8 * i}u) * 8u + x] = ${highest};`;
    }))
  }
  workgroupBarrier();
${stageValue(l, "keys")}
${
    lines(all.map((i) => {
      const weights = all.map((j) => {
        // A row that has seen nothing yet has peak = -1e30, where exp(s - peak) would be 1.
        const weight = `select(0.0, exp(s${i}_${j} - peak${i}), s${i}_${j} > -1e29)`;
        return `let w${j} = ${weight}; total${i} += w${j}; weights[(y + ${8 * i}u) * ${l.tile + 1}u + x + ${
          8 * j
        }u] = w${j};`;
      });
      const rescale = range(l.owned).map((c) => `out${i}_${c} *= shrink;`);
      return `  { let before = peak${i}; peak${i} = max(before, ${reduceRow(i, (a, b) => `max(${a}, ${b})`)});
    let shrink = exp(before - peak${i}); total${i} *= shrink; ${rescale.join(" ")} ${weights.join(" ")} }`;
    }))
  }
  workgroupBarrier();
${weightedSums(l, { name: "out", weights: "weights", tile: "keys", transposed: false })}
  }
  workgroupBarrier();
${lines(all.map((i) => `  reduce[(y + ${8 * i}u) * 8u + x] = total${i};`))}
  workgroupBarrier();
${lines(all.map((i) => `  total${i} = ${reduceRow(i, (a, b) => `${a} + ${b}`)};`))}
${
    writeSums(l, {
      name: "out",
      to: "result",
      firstRow: "q0",
      offset: `head * ${l.vectors}u`,
      width: l.outWidth,
      factor: " / total#",
    })
  }
${
    lines(all.map((i) =>
      `  { let r = q0 + y + ${
        8 * i
      }u; if (x == 0u && r < sizes.rows) { log_sums[r * ${shape.heads}u + head] = peak${i} + log(total${i}); } }`
    ))
  }
}`;
}

/** Recomputes the weights of a tile and the gradient of its scores, into workgroup memory. */
function scoreGradients(l: Layout, { keepWeights }: { keepWeights: boolean }): string {
  const all = range(l.fragment);
  return lines([
    dotProducts(l, { name: "s", a: "queries", b: "keys" }),
    dotProducts(l, { name: "g", a: "output_gradients", b: "values" }),
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
  return `${header(backwardBindings)}
${staged(l, ["queries", "output_gradients", "keys", "values"])}
${scoreTile(l, "score_gradients")}
${entry}
  let head = group.y;
  let kv_head = head / ${shape.heads / shape.keyValueHeads}u;
  let q0 = group.x * ${l.tile}u;
  let first = spans[q0].x / ${l.tile}u * ${l.tile}u;
${stageQuery(l)}
${stageOutputGradient(l)}
${ownedSums(l, "dq")}
  for (var k0 = first; k0 < min(sizes.rows, q0 + ${l.tile}u); k0 += ${l.tile}u) {
  workgroupBarrier();
${stageKey(l, "keys")}
${stageValue(l, "values")}
  workgroupBarrier();
${scoreGradients(l, { keepWeights: false })}
  workgroupBarrier();
${weightedSums(l, { name: "dq", weights: "score_gradients", tile: "keys", transposed: false })}
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
  const group = shape.heads / shape.keyValueHeads;
  return `${header(backwardBindings)}
${staged(l, ["queries", "output_gradients", "keys", "values"])}
${scoreTile(l, "score_gradients")}
${scoreTile(l, "weights")}
${entry}
  let kv_head = group.y;
  let k0 = group.x * ${l.tile}u;
  var last = 0u;
  for (var i = 0u; i < ${l.tile}u; i++) { last = max(last, spans[min(k0 + i, sizes.rows - 1u)].w); }
${stageKey(l, "keys")}
${stageValue(l, "values")}
${ownedSums(l, "dk")}
${ownedSums(l, "dv")}
  for (var member = 0u; member < ${group}u; member++) {
  let head = kv_head * ${group}u + member;
  for (var q0 = k0; q0 < last; q0 += ${l.tile}u) {
  workgroupBarrier();
${stageQuery(l)}
${stageOutputGradient(l)}
  workgroupBarrier();
${scoreGradients(l, { keepWeights: true })}
  workgroupBarrier();
${weightedSums(l, { name: "dk", weights: "score_gradients", tile: "queries", transposed: true })}
${weightedSums(l, { name: "dv", weights: "weights", tile: "output_gradients", transposed: true })}
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
