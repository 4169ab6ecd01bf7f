/**
 * WGSL headers that let one kernel text read a row one number at a time or, where its length is a multiple of 4, four.
 *
 * Both define `Element`, `WIDTH`, and functions over it: `highest`, `total`, `pick` and `one_hot`.
 */
const scalar = `alias Element = f32;
const WIDTH = 1u;
fn highest(e: Element) -> f32 { return e; }
fn total(e: Element) -> f32 { return e; }
fn pick(e: Element, i: u32) -> f32 { return e; }
fn one_hot(first: u32, hit: u32) -> Element { return select(0.0, 1.0, first == hit); }
`;

const vector = `alias Element = vec4f;
const WIDTH = 4u;
fn highest(e: Element) -> f32 { return max(max(e.x, e.y), max(e.z, e.w)); }
fn total(e: Element) -> f32 { return dot(e, vec4f(1.0)); }
fn pick(e: Element, i: u32) -> f32 { return e[i]; }
fn one_hot(first: u32, hit: u32) -> Element {
  return select(vec4f(), vec4f(1.0), vec4u(first) + vec4u(0u, 1u, 2u, 3u) == vec4u(hit));
}
`;

/** How a kernel reads rows of a given length. */
export interface Elements {
  /** Text to put before the kernel's. */
  readonly header: string;
  /** Elements in a row. */
  readonly perRow: number;
}

/** The widest elements that rows of `length` numbers divide into. */
export function elementsOf(length: number): Elements {
  return length % 4 === 0 ? { header: vector, perRow: length / 4 } : { header: scalar, perRow: length };
}
