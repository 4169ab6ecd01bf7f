/** WGSL of attention over a cache for adapters on which barriers and workgroup memory are dear: a thread a row and head. */

/** Shape of the kernel. */
export interface RegisterCachedAttention {
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads; each serves heads / keyValueHeads query heads. */
  readonly keyValueHeads: number;
  /** Elements of a head, a multiple of 4. */
  readonly headSize: number;
  /** Threads in a workgroup. */
  readonly threads: number;
}

/** Elements of a block's keys, which are scored between two rescalings of the sum; more would take seconds to compile. */
const BLOCK_ELEMENTS = 128;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const join = (parts: readonly string[], separator = "\n  ") => parts.join(separator);

/** Query and sum stay in registers; keys come in blocks, of which those after the row's own weigh nothing. */
export function registerCachedAttentionWgsl(shape: RegisterCachedAttention): string {
  const { heads, keyValueHeads, headSize, threads } = shape;
  const vectors = range(headSize / 4);
  const size = Math.min(4, Math.max(1, Math.floor(BLOCK_ELEMENTS / headSize))); // keys in a block
  const block = range(size);
  const count = vectors.length;
  const kept = 2 * keyValueHeads * count;
  return `struct Sizes { rows: u32, sequences: u32, length: u32, scale: f32, window: u32 }
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> sequence_of: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> cache: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(5) var<uniform> sizes: Sizes;
@compute @workgroup_size(${threads})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * groups.x * ${threads}u;
  let row = index / ${heads}u;
  let head = index % ${heads}u;
  if (row >= sizes.rows) { return; }
  let into = index * ${count}u;
  let sequence = sequence_of[row];
  if (sequence >= sizes.sequences) {
    ${join(vectors.map((v) => `result[into + ${v}u] = vec4f();`), " ")}
    return;
  }
  let last = positions[row];
  let keys = sequence * sizes.length * ${kept}u + head / ${heads / keyValueHeads}u * ${count}u;
  let query = row * ${heads * count + kept}u + head * ${count}u;
  ${join(vectors.map((v) => `let q${v} = sizes.scale * qkv[query + ${v}u]; var sum${v} = vec4f();`))}
  var peak = -1e30;
  var total = 0.0;
  for (var first = last + 1u - min(last + 1u, sizes.window); first <= last; first += ${size}u) {
  ${
    join(block.map((j) => {
      const score = join(vectors.map((v) => `dot(q${v}, cache[key${j} + ${v}u])`), " + ");
      return `let key${j} = keys + min(first + ${j}u, last) * ${kept}u;
  let s${j} = select(-1e30, ${score}, first + ${j}u <= last);`;
    }))
  }
  let highest = ${block.reduce((text, j) => `max(${text}, s${j})`, "peak")};
  let shrink = exp(peak - highest);
  peak = highest;
  ${join(block.map((j) => `let w${j} = exp(s${j} - peak); let value${j} = key${j} + ${kept / 2}u;`))}
  total = total * shrink + ${join(block.map((j) => `w${j}`), " + ")};
  ${
    join(vectors.map((v) => {
      const added = join(block.map((j) => `w${j} * cache[value${j} + ${v}u]`), " + ");
      return `sum${v} = sum${v} * shrink + ${added};`;
    }))
  }
  }
  ${join(vectors.map((v) => `result[into + ${v}u] = sum${v} / total;`))}
}`;
}
