/** The part of jax-js that the DPO step uses; it is installed next to the data, not a dependency. */

/** An array on jax-js's device. Operations consume it; `ref` is another reference to it. */
export interface JaxArray {
  readonly ref: JaxArray;
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  neg(): JaxArray;
  sum(axis: number): JaxArray;
  mean(axis?: number, options?: { keepdims: boolean }): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(): JaxArray;
  slice(...ranges: (JaxArray | number | readonly number[])[]): JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** Arrays by name. */
export type JaxTree = Record<string, JaxArray>;

/** The module. */
export interface Jax {
  init(device: string): Promise<readonly string[]>;
  defaultDevice(device: string): void;
  blockUntilReady(values: unknown): Promise<unknown>;
  jit<F>(compute: F): F;
  valueAndGrad<Rest extends unknown[]>(
    compute: (weights: JaxTree, ...rest: Rest) => JaxArray,
  ): (weights: JaxTree, ...rest: Rest) => [JaxArray, JaxTree];
  readonly tree: { ref<T>(tree: T): T; dispose(tree: unknown): void };
  readonly numpy: {
    readonly float32: unknown;
    readonly int32: unknown;
    array(values: ArrayLike<number>, options: { shape: readonly number[]; dtype?: unknown }): JaxArray;
    zeros(shape: readonly number[]): JaxArray;
    square(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    einsum(rule: string, ...operands: JaxArray[]): JaxArray;
    concatenate(parts: readonly JaxArray[], axis: number): JaxArray;
    take(x: JaxArray, indices: JaxArray, axis: number): JaxArray;
  };
  readonly nn: {
    softmax(x: JaxArray, axis: number): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
    silu(x: JaxArray): JaxArray;
    logSigmoid(x: JaxArray): JaxArray;
  };
}
