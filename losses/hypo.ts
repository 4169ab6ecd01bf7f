import { type Loss, record } from "./definition.ts";
import { constant, maximum } from "./expression.ts";
import { planLoss, recordFields } from "./plan.ts";
import { readsAny, recordExpressions, requirePairs, substitute, substituteInLoss } from "./substitute.ts";
import { compileTape, runTape } from "./tape.ts";

/**
 * Changes a loss to HyPO's: the reference's margin r_w − r_l becomes max(0, r_w − r_l), r its log-prob.
 *
 * Where the reference itself prefers the rejected completion, as it does for half of many data sets' pairs, the
 * loss no longer is content with a policy that does so a little less. Yuan et al., "Mitigating Mismatch within
 * Reference-based Preference Optimization", arXiv 2602.11902. Rewards stay those of the loss.
 *
 * @param loss One that reads the reference through r_w − r_l alone: `dpo`, `robust`, `ipo` of sums, `hinge`, `exoPair`,
 * `discopop`, `margin`, `aot`, `rpo`, and sums of such, all with the reverse KL divergence.
 * @throws {Error} If the loss reads anything else of the reference, or nothing.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { dpo, evaluatePaired, hypo } from "@tr/align/losses";
 *
 * const { losses } = evaluatePaired({
 *   policy: { chosen: [-10, -10], rejected: [-14, -14] }, // margins 4
 *   reference: { chosen: [-12, -13], rejected: [-13, -12] }, // margins 1 and −1
 * }, hypo(dpo({ beta: 0.1 })));
 * assertAlmostEquals(losses[0]!, Math.log1p(Math.exp(-0.1 * (4 - 1))));
 * assertAlmostEquals(losses[1]!, Math.log1p(Math.exp(-0.1 * (4 - 0))));
 * ```
 */
export function hypo(loss: Loss): Loss {
  requirePairs(loss, "hypo");
  if (!readsAny(loss, ["referenceChosen", "referenceRejected"])) {
    throw new Error(`hypo: ${loss.name} compares with no reference, so there is no margin of it to change`);
  }
  if (!readsMarginAlone(loss)) {
    throw new Error(
      `hypo: ${loss.name} reads more of the reference than the difference of its two log-probs, so that cannot be ` +
        `replaced in it; dpo, hinge and others can be changed`,
    );
  }
  // r_w → max(r_w, r_l) makes r_w − r_l → max(r_w − r_l, 0).
  const raised = maximum(record.referenceChosen, record.referenceRejected);
  return {
    ...substituteInLoss(loss, new Map([[record.referenceChosen, raised]]), { rewards: false }),
    name: `hypo ${loss.name}`,
  };
}

/**
 * Whether nothing that the loss computes changes with a number that is added to both log-probs of the
 * reference.
 */
function readsMarginAlone(loss: Loss): boolean {
  planLoss(loss); // throws first if the formula is not one of pairs
  const batchValues = [...loss.statistics, ...loss.matchings].map(({ value }) =>
    [value, constant(0.5)] as const
  );
  const expressions = recordExpressions(loss).map((expression) =>
    substitute(expression, new Map(batchValues))
  );
  const fields = recordFields.map((field) => record[field]);
  const tape = compileTape(expressions, fields);
  // Generic numbers, near each other, so that no saturation hides a dependence.
  const at = (shift: number) => {
    const values: Record<string, readonly number[]> = {
      policyChosen: [-3.1, -2.3, -4.7],
      policyRejected: [-3.9, -2.9, -3.3],
      referenceChosen: [-3.4, -2.2, -4.1].map((value) => value + shift),
      referenceRejected: [-3.6, -2.5, -3.2].map((value) => value + shift),
      lengthChosen: [3, 2, 5],
      lengthRejected: [4, 3, 2],
    };
    return runTape(tape, { inputs: recordFields.map((field) => values[field] ?? 0.5), count: 3 });
  };
  const [here, there] = [at(0), at(0.75)];
  return here.every((column, index) =>
    column.every((value, row) =>
      Math.abs(value - there[index]![row]!) <= 1e-12 * Math.max(1, Math.abs(value))
    )
  );
}
