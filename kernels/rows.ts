/** How many threads share a row in the kernels that reduce over rows. */
import type { Device } from "./device.ts";

/** Threads in a workgroup of a row kernel. */
export const ROW_THREADS = 64;

/**
 * Threads for each row of `width` elements: several on a GPU, where neighbours should read neighbouring memory; one on a
 * software adapter, where barriers cost more than strided reads.
 */
export function lanesPerRow(device: Device, width: number): number {
  if (device.software) return 1;
  let lanes = 1;
  while (lanes < ROW_THREADS && lanes * 4 < width) lanes *= 2;
  return lanes;
}

/** Workgroups along x and y, each of `rowsPerGroup` rows, that cover `rows`; a dimension never exceeds WebGPU's 65,535. */
export function rowGroups(rows: number, rowsPerGroup: number): [number, number] {
  return inTwoDimensions(Math.ceil(rows / rowsPerGroup));
}

/** Workgroups along y and z that cover `rows` rows one by one; a dimension never exceeds WebGPU's 65,535. */
export function rowsAsGroups(rows: number): [number, number] {
  return inTwoDimensions(rows);
}

/** Threads of an element-wise kernel's workgroup. */
export const ELEMENT_THREADS = 64;

/** Workgroups along x and y that cover `count` threads; a dimension never exceeds WebGPU's 65,535. */
export function elementGroups(count: number): [number, number] {
  return inTwoDimensions(Math.ceil(count / ELEMENT_THREADS));
}

function inTwoDimensions(groups: number): [number, number] {
  const x = Math.min(groups, 32768);
  return [x, Math.ceil(groups / x)];
}
