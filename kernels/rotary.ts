/** Rotary position embedding, in place. */
import { differentiate, dispatch, type Graph, needsGradient } from "./graph.ts";
import rotaryWgsl from "./rotary.wgsl" with { type: "text" };
import { elementGroups } from "./rows.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@linkcode rotary}. */
export interface RotaryOptions {
  /** u32 [rows], the position of each row in its sequence. */
  positions: Tensor;
  /** [positions, headSize / 2], the cosines of position × inverse frequency. */
  cosines: Tensor;
  /** The same of sines. */
  sines: Tensor;
  /** Heads to rotate from the start of a row: queries and keys, not values. */
  heads: number;
  /** Elements of a head, a multiple of 8. */
  headSize: number;
}

/**
 * Rotates the first `heads` heads of every row by its position (Su et al., arXiv 2104.09864, in Hugging Face's layout:
 * halves of a head turn together). Overwrites `x` and returns the same memory as a new tensor; `x` must not be used after.
 *
 * @param x [rows, width] with width ≥ heads × headSize.
 * @throws If the head size is not a multiple of 8.
 */
export function rotary(graph: Graph, x: Tensor, options: RotaryOptions): Tensor {
  const { headSize, heads } = options;
  if (headSize % 8 !== 0 || heads * headSize > (x.shape[1] ?? 0)) {
    throw new RangeError(
      `rotary: x is [${x.shape}]; ${heads} heads of ${headSize} need a head size that 8 divides and fit in a row`,
    );
  }
  rotate(graph, x, { ...options, direction: 1 });
  const y: Tensor = { ...x };
  differentiate(graph, {
    output: y,
    inputs: [x],
    rule: (gradient, gradients) => {
      if (!needsGradient(graph, x)) return;
      rotate(graph, gradient, { ...options, direction: -1 });
      gradients.set(x, gradient);
    },
  });
  return y;
}

function rotate(graph: Graph, x: Tensor, options: RotaryOptions & { direction: 1 | -1 }): void {
  const { positions, cosines, sines, heads, headSize, direction } = options;
  const [rows = 0, width = 0] = x.shape;
  const half = headSize / 8;
  dispatch(graph, {
    kernel: {
      label: direction === 1 ? "rotary" : "rotary gradient",
      code: rotaryWgsl,
      constants: { HEADS: heads, HALF: half, WIDTH: width / 4, DIRECTION: direction },
    },
    bindings: [[x, "update"], [positions, "read"], [cosines, "read"], [sines, "read"]],
    uniforms: [rows],
    workgroups: elementGroups(rows * heads * half),
  });
}
