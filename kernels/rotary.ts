/** Rotary position embedding, in place. */
import { differentiate, dispatch, type Graph, needsGradient } from "./graph.ts";
import rotaryWgsl from "./rotary.wgsl" with { type: "text" };
import { elementGroups } from "./rows.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@linkcode rotary}. */
export interface RotaryOptions {
  /** u32 [rows], the position of each row in its sequence. */
  positions: Tensor;
  /** [positions, rotated / 2], the cosines of position × inverse frequency. */
  cosines: Tensor;
  /** The same of sines. */
  sines: Tensor;
  /** Heads to rotate from the start of a row: queries and keys, not values. */
  heads: number;
  /** Elements of a head, a multiple of 8. */
  headSize: number;
  /** How many channels of each head are rotated, from its start; an even number, by default all (GPT-NeoX's `rotary_pct`). */
  rotated?: number;
}

/**
 * Rotates the first `heads` heads of every row by its position (Su et al., arXiv 2104.09864, in Hugging Face's layout:
 * halves of a head, or of its rotated channels, turn together). Overwrites `x` and returns the same memory as a new
 * tensor; `x` must not be used after. The gradient is overwritten likewise: the result must not be a residual or summand.
 *
 * @param x [rows, width] with width ≥ heads × headSize.
 * @throws If the head size is not a multiple of 8, or the tables are not as wide as half of what is rotated.
 */
export function rotary(graph: Graph, x: Tensor, options: RotaryOptions): Tensor {
  const { headSize, heads, rotated = headSize, cosines, sines } = options;
  if (headSize % 8 !== 0 || heads * headSize > (x.shape[1] ?? 0)) {
    throw new RangeError(
      `rotary: x is [${x.shape}]; ${heads} heads of ${headSize} need a head size that 8 divides and fit in a row`,
    );
  }
  if (rotated % 2 !== 0 || rotated < 2 || rotated > headSize) {
    throw new RangeError(
      `rotary: rotated is ${rotated}; wanted an even number from 2 to the head size, ${headSize}`,
    );
  }
  if (cosines.shape[1] !== rotated / 2 || sines.shape.join() !== cosines.shape.join()) {
    throw new RangeError(
      `rotary: cosines are [${cosines.shape}] and sines [${sines.shape}]; ` +
        `${rotated} rotated channels need [positions, ${rotated / 2}]`,
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
  const { positions, cosines, sines, heads, headSize, rotated = headSize, direction } = options;
  const [rows = 0, width = 0] = x.shape;
  const size = [4, 2, 1].find((size) => rotated / 2 % size === 0 && width % size === 0)!;
  const half = rotated / 2 / size;
  dispatch(graph, {
    kernel: {
      label: direction === 1 ? "rotary" : "rotary gradient",
      code: `alias Element = ${size === 1 ? "f32" : `vec${size}f`};\n${rotaryWgsl}`,
      constants: {
        HEADS: heads,
        HEAD: headSize / size,
        HALF: half,
        WIDTH: width / size,
        DIRECTION: direction,
      },
    },
    bindings: [[x, "update"], [positions, "read"], [cosines, "read"], [sines, "read"]],
    uniforms: [rows],
    workgroups: elementGroups(rows * heads * half),
  });
}
