/** The largest ratio of KTO's recommendation; the least is 1. */
const LARGEST_RATIO = 4 / 3;

/** Weights for which KTO's classes are balanced. */
export interface KtoWeights {
  /** λ_D n_D / (λ_U n_U) of the weights given. */
  ratio: number;
  /** Whether the ratio is within the recommended 1 to 4/3. */
  isBalanced: boolean;
  /** The least and largest λ_D that are recommended with λ_U = 1. */
  desirable: [number, number];
  /** The least and largest λ_U that are recommended with λ_D = 1. */
  undesirable: [number, number];
}

/**
 * Weights of KTO's desirable and undesirable completions for a data set with so many of each: such that
 * 1 ≤ λ_D n_D / (λ_U n_U) ≤ 4/3, with one of the two weights 1 (Ethayarajh et al., arXiv 2402.01306, section
 * 4.2).
 *
 * @param counts how many completions are desirable (n_D) and undesirable (n_U)
 * @param weights λ_D and λ_U as they are set; default 1
 * @returns null if one of the classes is empty: no weight can balance them
 *
 * @example
 * ```ts
 * import { recommendKtoWeights } from "@tr/align/data";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const { desirable } = recommendKtoWeights({ desirable: 100, undesirable: 1000 })!;
 * assertAlmostEquals(desirable[0], 10);
 * assertAlmostEquals(desirable[1], 13.33, 0.01);
 * ```
 */
export function recommendKtoWeights(
  { desirable, undesirable }: { desirable: number; undesirable: number },
  { desirableWeight = 1, undesirableWeight = 1 }: { desirableWeight?: number; undesirableWeight?: number } =
    {},
): KtoWeights | null {
  if (desirable === 0 || undesirable === 0) return null;
  const ratio = desirableWeight * desirable / (undesirableWeight * undesirable);
  return {
    ratio,
    isBalanced: ratio >= 1 && ratio <= LARGEST_RATIO,
    desirable: [undesirable / desirable, LARGEST_RATIO * undesirable / desirable],
    undesirable: [desirable / undesirable / LARGEST_RATIO, desirable / undesirable],
  };
}
