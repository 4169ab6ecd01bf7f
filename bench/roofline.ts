/** What bounds a kernel: the arithmetic that it has to do, or the memory that it has to move. */

/** What an adapter was measured to reach at best. */
export interface Peak {
  /** Float32 operations a second, a fused multiply-add counting as two, in 10⁹. */
  readonly gigaflops: number;
  /** Bytes a second that a copy reads and writes, in 10⁹. */
  readonly gigabytes: number;
}

/** What a kernel has to do at least. */
export interface Cost {
  /** Floating-point operations; 0 where memory alone counts. */
  readonly flops: number;
  /** Bytes read and written, each operand once. */
  readonly bytes: number;
}

/** The least time for some work. */
export interface Bound {
  /** Milliseconds. */
  readonly milliseconds: number;
  /** What takes that long. */
  readonly by: "arithmetic" | "memory";
}

/** The time below which an adapter can't do some work: that of its arithmetic or of its memory, whichever is longer. */
export function boundOf({ flops, bytes }: Cost, { gigaflops, gigabytes }: Peak): Bound {
  const arithmetic = flops / gigaflops / 1e6;
  const memory = bytes / gigabytes / 1e6;
  return arithmetic > memory
    ? { milliseconds: arithmetic, by: "arithmetic" }
    : { milliseconds: memory, by: "memory" };
}
