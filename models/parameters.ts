/** The parameters of a model as the kernels want them, and the file tensors they are made of. */
import type { ParameterSpec } from "../kernels/parameters.ts";

/** Rows of a file's tensor that lie together in a parameter. */
export interface RowSlice {
  /** The first of them in the file. */
  readonly from: number;
  /** Where that lies in the part of the parameter that is the tensor's. */
  readonly to: number;
  /** How many. */
  readonly count: number;
}

/** A tensor of a file. */
export interface ParameterPart {
  /** Its name there. */
  readonly name: string;
  /** Its sizes there. */
  readonly shape: readonly number[];
  /** Where its rows go, if not all in their order. */
  readonly slices?: readonly RowSlice[];
}

/**
 * A parameter, and the tensors of a Hugging Face file that it consists of: projections that read the same input are one
 * matrix, their rows one below the other.
 */
export interface ModelParameter extends ParameterSpec {
  /** What it is for: a table of rows to look up, a matrix to multiply with, or one number a channel. */
  readonly kind: "embedding" | "linear" | "vector";
  /** Whether a matrix is stored [inputs, outputs]. */
  readonly transposed?: boolean;
  /** The file's tensors, in the order of their rows. */
  readonly parts: readonly ParameterPart[];
}

/** A parameter as far as files are concerned: the tensors that lie in it one after another. */
export type StoredParameter = Pick<ModelParameter, "name" | "parts">;

/** A matrix of several projections, [outputs, inputs] each. */
export function matrix(name: string, parts: readonly ParameterPart[]): ModelParameter {
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  return { name, kind: "linear", shape: [rows, ...parts[0]!.shape.slice(1)], parts };
}

/** Vectors end to end: a norm's weight, or the biases of several projections. */
export function vector(name: string, parts: readonly ParameterPart[]): ModelParameter {
  return { ...matrix(name, parts), kind: "vector" };
}

/** A table of rows to look up. */
export function table(name: string, part: ParameterPart): ModelParameter {
  return { ...matrix(name, [part]), kind: "embedding" };
}
