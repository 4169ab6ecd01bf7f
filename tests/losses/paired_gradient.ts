import type { PairedLogProbs, PairedLossResult } from "../../losses/batch.ts";
import { assertClose, finiteDifferences } from "./assertions.ts";

/** Pairs with log-ratios of both signs, small and large, away from kinks. */
export const pairs: Required<PairedLogProbs> = {
  policy: { chosen: [-12.5, -3.25, -80.5, -41], rejected: [-14, -2.5, -62.25, -44.5] },
  reference: { chosen: [-13, -5, -71, -40.25], rejected: [-11.5, -2.75, -66, -50] },
  lengths: { chosen: [7, 1, 40, 23], rejected: [5, 2, 31, 30] },
  margins: [0.5, -0.25, 2, 0],
  logWeights: { chosen: [-0.25, 0.5, -1, 0.25], rejected: [-0.5, 0.25, -2, 0.125] },
};

/** Asserts that the gradients of `loss` at {@linkcode pairs} are those of finite differences of `value`. */
export function assertPairedGradient(
  loss: (batch: PairedLogProbs) => PairedLossResult,
  value = (batch: PairedLogProbs) => loss(batch).loss,
): void {
  const { gradients } = loss(pairs);
  for (const side of ["chosen", "rejected"] as const) {
    const expected = finiteDifferences(
      (moved) => value({ ...pairs, policy: { ...pairs.policy, [side]: moved } }),
      pairs.policy[side],
    );
    assertClose(gradients[side], expected, 1e-9);
  }
}
