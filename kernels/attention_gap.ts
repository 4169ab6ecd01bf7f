/**
 * WGSL that steps over the keys between a shared prompt and a completion, which none of a block's rows sees.
 *
 * Sequences are contiguous, so if the first and the last row of a block have the same gap, so do all between; if they
 * differ, the intersection is empty. The step is arithmetic, not a branch: software adapters execute what a branch skips.
 * Needs `spans` and `sizes.rows`.
 */
export const gapWgsl = `fn gap_of(first: u32, count: u32) -> vec2u {
  let head = spans[first];
  let tail = spans[min(first + count - 1u, sizes.rows - 1u)];
  return vec2u(max(head.y, tail.y), min(head.z, tail.z));
}
fn next_block(start: u32, size: u32, gap: vec2u) -> u32 {
  return select(start, gap.y / size * size, start >= gap.x && start + size <= gap.y);
}`;
