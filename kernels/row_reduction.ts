/**
 * WGSL headers that let one kernel text reduce over rows, however many threads share one.
 *
 * They define `THREADS` (of a workgroup), `LANES` (that share a row, neighbours reading neighbouring memory), and
 * `row_highest` and `row_total`, which every thread of the workgroup must call: the largest value and the sum of a row's
 * lanes, component by component.
 */
import type { Device } from "./device.ts";
import { ROW_THREADS } from "./rows.ts";

const shared = (threads: number, lanes: number) =>
  `const THREADS = ${threads}u;
const LANES = ${lanes}u;
var<workgroup> partial: array<vec4f, THREADS>;
fn row_highest(value: vec4f, thread: u32) -> vec4f {
  workgroupBarrier();
  partial[thread] = value;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread % LANES < step) { partial[thread] = max(partial[thread], partial[thread + step]); }
  }
  workgroupBarrier();
  return partial[thread - thread % LANES];
}
fn row_total(value: vec4f, thread: u32) -> vec4f {
  workgroupBarrier();
  partial[thread] = value;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread % LANES < step) { partial[thread] += partial[thread + step]; }
  }
  workgroupBarrier();
  return partial[thread - thread % LANES];
}
`;

const subgroup = ({ subgroupPreamble, subgroupSize }: Device) =>
  `${subgroupPreamble}const THREADS = ${subgroupSize}u;
const LANES = THREADS;
fn row_highest(value: vec4f, thread: u32) -> vec4f { return subgroupMax(value); }
fn row_total(value: vec4f, thread: u32) -> vec4f { return subgroupAdd(value); }
`;

/** How a kernel divides rows among threads. */
export interface RowReduction {
  /** Text to put before all else. */
  readonly header: string;
  /** Rows that a workgroup covers. */
  readonly rowsPerGroup: number;
}

/** A header for kernels in which all threads of a workgroup share one row. */
export function groupReduction(device: Device): string {
  return device.software && device.subgroupSize >= 4 ? subgroup(device) : shared(ROW_THREADS, ROW_THREADS);
}

/** From so many numbers in a row on, 256 threads share it: as many as every device allows. */
const WIDE = 8192;

/**
 * For long rows: a subgroup each on a software adapter, where barriers are dear; 64 threads, or 256, on a GPU, fewer where
 * the rows are short.
 */
export function rowReduction(device: Device, width: number): RowReduction {
  if (device.software) {
    return device.subgroupSize >= 4
      ? { header: subgroup(device), rowsPerGroup: 1 }
      : { header: shared(ROW_THREADS, 1), rowsPerGroup: ROW_THREADS };
  }
  const threads = width >= WIDE ? 4 * ROW_THREADS : ROW_THREADS;
  let lanes = 1;
  while (lanes < threads && lanes * 4 < width) lanes *= 2;
  return { header: shared(threads, lanes), rowsPerGroup: threads / lanes };
}
