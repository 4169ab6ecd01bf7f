/**
 * WGSL of causal attention for adapters whose memory loads are dear: one subgroup a workgroup, no workgroup memory.
 *
 * Every lane owns one query row (or key row, for the keys' and values' gradients) and keeps it in registers. A block of
 * rows of the other side is loaded once and handed round with shuffles from constant lanes: one row a lane where heads are
 * small; of larger heads fewer rows, each divided among several lanes, since the text of a block is written out and grows
 * with rows × head size, and so do registers and the time to compile it. Bindings and results are those of the tiled
 * kernels.
 */
import { gapWgsl } from "./attention_gap.ts";

/** Shape of an attention kernel. */
export interface SubgroupAttention {
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads; each serves heads / keyValueHeads query heads. */
  readonly keyValueHeads: number;
  /** Elements of a head, a multiple of 4. */
  readonly headSize: number;
  /** Lanes of a subgroup. */
  readonly lanes: number;
  /** Text that opens a module with subgroup operations. */
  readonly preamble: string;
}

/** Vectors of four that the text of a block goes through at most. */
const BLOCK_VECTORS = 32;

/** Rows of a block, and how many vec4s of one a lane holds. */
function blockOf({ headSize, lanes }: SubgroupAttention): { rows: number; held: number } {
  const vectors = headSize / 4;
  let rows = lanes;
  while (rows % 2 === 0 && rows * vectors > BLOCK_VECTORS && vectors % (lanes / rows * 2) === 0) rows /= 2;
  return { rows, held: vectors * rows / lanes };
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const join = (parts: readonly string[], separator = "\n") => parts.join(separator);

/** Declarations that the kernels share; a span says which keys a row sees, as in the tiled kernels. */
function header(shape: SubgroupAttention, bindings: readonly string[]): string {
  const { preamble, lanes } = shape;
  const { rows, held } = blockOf(shape);
  return `${preamble}
struct Sizes { rows: u32, scale: f32 }
${join(bindings.map((binding, i) => `@group(0) @binding(${i}) ${binding};`))}
@group(0) @binding(${bindings.length}) var<uniform> sizes: Sizes;
fn visible(query: u32, key: u32, span: vec4u) -> bool {
  return query < sizes.rows && key <= query && key >= span.x && (key < span.y || key >= span.z);
}
${gapWgsl}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let block_row = lane % ${rows}u; // of which this lane holds the vectors from \`share\` on
  let share = lane / ${rows}u * ${held}u;`;
}

interface Row {
  name: string;
  from: "qkv" | "output_gradient";
  row: string;
  part: "query" | "key" | "value";
}

/** A row of a head in registers `name`_0, `name`_1, …; rows beyond the end repeat the last one and are masked later. */
function loadRow(shape: SubgroupAttention, row: Row): string {
  return load(shape, { ...row, count: shape.headSize / 4, start: "" });
}

/** A lane's share of the block of rows that begins at row `row`. */
function loadBlock(shape: SubgroupAttention, block: Row): string {
  const { held } = blockOf(shape);
  return load(shape, { ...block, row: `${block.row} + block_row`, count: held, start: " + share" });
}

function load(
  shape: SubgroupAttention,
  { name, from, row, part, count, start }: Row & { count: number; start: string },
): string {
  const vectors = shape.headSize / 4;
  const width = from === "qkv" ? (shape.heads + 2 * shape.keyValueHeads) * vectors : shape.heads * vectors;
  const head = {
    query: "head",
    key: `(${shape.heads}u + kv_head)`,
    value: `(${shape.heads + shape.keyValueHeads}u + kv_head)`,
  }[part];
  const at = `let at_${name} = min(${row}, sizes.rows - 1u) * ${width}u + ${head} * ${vectors}u${start};`;
  return join([at, ...range(count).map((v) => `let ${name}_${v} = ${from}[at_${name} + ${v}u];`)], " ");
}

function storeRow(shape: SubgroupAttention, { name, to, row, part, factor = "" }: {
  name: string;
  to: string;
  row: string;
  part: "query" | "key" | "value" | "output";
  factor?: string;
}): string {
  const vectors = shape.headSize / 4;
  const width = part === "output" ? shape.heads * vectors : (shape.heads + 2 * shape.keyValueHeads) * vectors;
  const head = {
    output: "head",
    query: "head",
    key: `(${shape.heads}u + kv_head)`,
    value: `(${shape.heads + shape.keyValueHeads}u + kv_head)`,
  }[part];
  return join(
    range(vectors).map((v) =>
      `${to}[${row} * ${width}u + ${head} * ${vectors}u + ${v}u] = ${name}_${v}${factor};`
    ),
    " ",
  );
}

const zeros = ({ headSize }: SubgroupAttention, name: string) =>
  join(range(headSize / 4).map((v) => `var ${name}_${v} = vec4f();`), " ");

const fromLane = (name: string, lane: number) => `subgroupShuffle(${name}, ${lane}u)`;

/** Vector `v` of row `j` of the block `name`. */
function ofBlock(shape: SubgroupAttention, name: string, { v, j }: { v: number; j: number }): string {
  const { rows, held } = blockOf(shape);
  return fromLane(`${name}_${v % held}`, Math.floor(v / held) * rows + j);
}

/** own row · row `j` of the block `other`. */
const dotWith = (shape: SubgroupAttention, own: string, { other, j }: { other: string; j: number }) =>
  join(
    range(shape.headSize / 4).map((v) => `dot(${own}_${v}, ${ofBlock(shape, other, { v, j })})`),
    " + ",
  );

/** sum += weight · row `j` of a block. */
const addScaled = (
  shape: SubgroupAttention,
  sum: string,
  { weight, row, j }: { weight: string; row: string; j: number },
) =>
  join(
    range(shape.headSize / 4).map((v) => `${sum}_${v} += ${weight} * ${ofBlock(shape, row, { v, j })};`),
    " ",
  );

/** Attention forward. Bindings: qkv, spans, output, log-sum-exp. Workgroups: blocks of queries × heads. */
export function subgroupForwardWgsl(shape: SubgroupAttention): string {
  const { lanes, heads, keyValueHeads, headSize } = shape;
  const size = blockOf(shape).rows;
  const keys = range(size);
  return `${
    header(shape, [
      "var<storage, read> qkv: array<vec4f>",
      "var<storage, read> spans: array<vec4u>",
      "var<storage, read_write> result: array<vec4f>",
      "var<storage, read_write> log_sums: array<f32>",
    ])
  }
  let head = group.y;
  let kv_head = head / ${heads / keyValueHeads}u;
  let q0 = group.x * ${lanes}u;
  let row = q0 + lane;
  let span = spans[min(row, sizes.rows - 1u)];
  ${loadRow(shape, { name: "q", from: "qkv", row: "row", part: "query" })}
  ${zeros(shape, "out")}
  var peak = -1e30;
  var total = 0.0;
  let gap = gap_of(q0, ${lanes}u);
  for (var k0 = spans[q0].x / ${size}u * ${size}u; k0 < min(sizes.rows, q0 + ${lanes}u); k0 = next_block(k0 + ${size}u, ${size}u, gap)) {
    ${loadBlock(shape, { name: "k", from: "qkv", row: "k0", part: "key" })}
    ${loadBlock(shape, { name: "v", from: "qkv", row: "k0", part: "value" })}
${
    join(keys.map((j) =>
      `    let s${j} = select(-1e30, sizes.scale * (${
        dotWith(shape, "q", { other: "k", j })
      }), visible(row, k0 + ${j}u, span));`
    ))
  }
    let before = peak;
    peak = ${keys.reduce((text, j) => `max(${text}, s${j})`, "peak")};
    let shrink = exp(before - peak);
    total *= shrink;
    ${join(range(headSize / 4).map((v) => `out_${v} *= shrink;`), " ")}
${
    join(keys.map((j) =>
      `    { let w = select(0.0, exp(s${j} - peak), s${j} > -1e29); total += w; ${
        addScaled(shape, "out", { weight: "w", row: "v", j })
      } }`
    ))
  }
  }
  if (row >= sizes.rows) { return; }
  ${storeRow(shape, { name: "out", to: "result", row: "row", part: "output", factor: " / total" })}
  log_sums[row * ${heads}u + head] = peak + log(total);
}`;
}

const backwardBindings = [
  "var<storage, read> qkv: array<vec4f>",
  "var<storage, read> output_gradient: array<vec4f>",
  "var<storage, read> spans: array<vec4u>",
  "var<storage, read> log_sums: array<f32>",
  "var<storage, read> deltas: array<f32>",
  "var<storage, read_write> qkv_gradient: array<vec4f>",
];

/** The queries' gradient. Bindings: qkv, output gradient, spans, log-sum-exp, delta, qkv gradient. Workgroups: blocks of queries × heads. */
export function subgroupQueryGradientWgsl(shape: SubgroupAttention): string {
  const { lanes, heads, keyValueHeads } = shape;
  const size = blockOf(shape).rows;
  return `${header(shape, backwardBindings)}
  let head = group.y;
  let kv_head = head / ${heads / keyValueHeads}u;
  let q0 = group.x * ${lanes}u;
  let row = q0 + lane;
  let known = min(row, sizes.rows - 1u);
  let span = spans[known];
  let log_sum = log_sums[known * ${heads}u + head];
  let delta = deltas[known * ${heads}u + head];
  ${loadRow(shape, { name: "q", from: "qkv", row: "row", part: "query" })}
  ${loadRow(shape, { name: "g", from: "output_gradient", row: "row", part: "query" })}
  ${zeros(shape, "dq")}
  let gap = gap_of(q0, ${lanes}u);
  for (var k0 = spans[q0].x / ${size}u * ${size}u; k0 < min(sizes.rows, q0 + ${lanes}u); k0 = next_block(k0 + ${size}u, ${size}u, gap)) {
    ${loadBlock(shape, { name: "k", from: "qkv", row: "k0", part: "key" })}
    ${loadBlock(shape, { name: "v", from: "qkv", row: "k0", part: "value" })}
${
    join(
      range(size).map((j) =>
        `    { let s = sizes.scale * (${dotWith(shape, "q", { other: "k", j })});
      let w = select(0.0, exp(s - log_sum), visible(row, k0 + ${j}u, span));
      let ds = sizes.scale * w * (${dotWith(shape, "g", { other: "v", j })} - delta);
      ${addScaled(shape, "dq", { weight: "ds", row: "k", j })} }`
      ),
    )
  }
  }
  if (row >= sizes.rows) { return; }
  ${storeRow(shape, { name: "dq", to: "qkv_gradient", row: "row", part: "query" })}
}`;
}

/** The keys' and values' gradients. Bindings as for the queries. Workgroups: blocks of keys × key/value heads. */
export function subgroupKeyValueGradientWgsl(shape: SubgroupAttention): string {
  const { lanes, heads, keyValueHeads } = shape;
  const size = blockOf(shape).rows;
  return `${header(shape, backwardBindings)}
  let kv_head = group.y;
  let k0 = group.x * ${lanes}u;
  let row = k0 + lane;
  // Each lane looks at all rows: what a subgroup operation returns isn't uniform to WGSL, and shuffles in the loop need it so.
  var last = 0u;
  for (var i = 0u; i < ${lanes}u; i++) { last = max(last, spans[min(k0 + i, sizes.rows - 1u)].w); }
  ${loadRow(shape, { name: "k", from: "qkv", row: "row", part: "key" })}
  ${loadRow(shape, { name: "v", from: "qkv", row: "row", part: "value" })}
  ${zeros(shape, "dk")}
  ${zeros(shape, "dv")}
  for (var member = 0u; member < ${heads / keyValueHeads}u; member++) {
  let head = kv_head * ${heads / keyValueHeads}u + member;
  for (var q0 = k0; q0 < last; q0 += ${size}u) {
    let known = min(q0 + block_row, sizes.rows - 1u);
    let span = spans[known];
    let log_sum = log_sums[known * ${heads}u + head];
    let delta = deltas[known * ${heads}u + head];
    ${loadBlock(shape, { name: "q", from: "qkv", row: "q0", part: "query" })}
    ${loadBlock(shape, { name: "g", from: "output_gradient", row: "q0", part: "query" })}
${
    join(
      range(size).map((j) =>
        `    { let s = sizes.scale * (${dotWith(shape, "k", { other: "q", j })});
      let seen = visible(q0 + ${j}u, row, ${fromLane("span", j)});
      let w = select(0.0, exp(s - ${fromLane("log_sum", j)}), seen);
      let ds = sizes.scale * w * (${dotWith(shape, "v", { other: "g", j })} - ${fromLane("delta", j)});
      ${addScaled(shape, "dk", { weight: "ds", row: "q", j })}
      ${addScaled(shape, "dv", { weight: "w", row: "g", j })} }`
      ),
    )
  }
  }
  }
  if (row >= sizes.rows) { return; }
  ${storeRow(shape, { name: "dk", to: "qkv_gradient", row: "row", part: "key" })}
  ${storeRow(shape, { name: "dv", to: "qkv_gradient", row: "row", part: "value" })}
}`;
}
