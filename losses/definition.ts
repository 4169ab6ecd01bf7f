import { type Expression, type Variable, variable } from "./expression.ts";

/** Whether a record is a chosen–rejected pair or one completion with a label. */
export type LossKind = "paired" | "unpaired";

/** What a loss can read of a record. */
export type RecordField =
  | "policyChosen"
  | "policyRejected"
  | "referenceChosen"
  | "referenceRejected"
  | "lengthChosen"
  | "lengthRejected"
  | "label"
  | "margin"
  | "logWeightChosen"
  | "logWeightRejected";

/**
 * The variables of a record, for use in a loss's expressions.
 *
 * `policy…` and `reference…` are log-probs summed over the completion's tokens, `length…` counts those tokens. In
 * an unpaired record the completion's numbers are in the `…Chosen` variables, and `label` is 1 (desirable) or 0.
 * `margin` is a pair's number from the data. `logWeight…` is the mean over a completion's tokens of
 * log p(token) − log Σ_v p(v)² under the policy, a constant for the gradient; see {@linkcode wpo}.
 */
export const record: Readonly<Record<RecordField, Variable>> = {
  policyChosen: variable("policyChosen"),
  policyRejected: variable("policyRejected"),
  referenceChosen: variable("referenceChosen"),
  referenceRejected: variable("referenceRejected"),
  lengthChosen: variable("lengthChosen"),
  lengthRejected: variable("lengthRejected"),
  label: variable("label"),
  margin: variable("margin"),
  logWeightChosen: variable("logWeightChosen"),
  logWeightRejected: variable("logWeightRejected"),
};

/** The variable that a statistic's `then` reads: the mean of its term over the batch. */
export const batchMean: Variable = variable("batchMean");

/** A number taken over the whole batch that every record's loss may read, such as KTO's z₀. */
export interface Statistic {
  /** Shown in results and logs. */
  readonly name: string;
  /** Mean over the batch's records, or over its mismatched sequences: prompt i with the completion of record i − 1. */
  readonly source: "records" | "mismatched";
  /** What is averaged, over the variables of {@linkcode record}; a mismatched sequence fills the `…Chosen` ones. */
  readonly term: Expression;
  /** The statistic, over the variable {@linkcode batchMean}. */
  readonly then: Expression;
  /** Whether no gradient flows through it; always so for mismatched sequences. */
  readonly detached: boolean;
  /** Reads the statistic in a loss's expressions. */
  readonly value: Variable;
}

/** Creates a statistic; throws if it is taken over mismatched sequences and not detached. */
export function statistic(parts: Omit<Statistic, "value">): Statistic {
  if (parts.source === "mismatched" && !parts.detached) {
    throw new Error(
      `statistic ${parts.name}: one over mismatched sequences must be detached; no backward pass visits them`,
    );
  }
  return { ...parts, value: variable(parts.name) };
}

/**
 * A number that a record gets from another record of the batch, the one of its rank: with both sides of the
 * batch sorted,
 * `value` is the `with` that stands where the record's own `of` stands. Equal numbers are ranked by their records' places.
 */
export interface RankMatching {
  /** What the record is ranked by, over the variables of {@linkcode record}. */
  readonly of: Expression;
  /** What it gets from the record whose rank in this equals its own; the gradient flows to that record. */
  readonly with: Expression;
  /** Reads what it got in a loss's expressions. */
  readonly value: Variable;
}

/** Creates a rank matching. */
export function rankMatching(parts: Omit<RankMatching, "value">): RankMatching {
  return { ...parts, value: variable("matched") };
}

/** One weighted addend of a loss. */
export interface LossTerm {
  /** The loss of one record, before it is divided by `per`. */
  readonly expression: Expression;
  /** Factor on the term. */
  readonly weight: number;
  /** What the sum over the batch is divided by: its records, or the tokens of its chosen completions. */
  readonly per: "record" | "token";
}

/** A loss as its formula, from which the host's value, the derivatives and the WGSL are derived. */
export interface Loss {
  /** Shown in errors and logs. */
  readonly name: string;
  /** The records it is for. */
  readonly kind: LossKind;
  /** The loss is the sum of these. */
  readonly terms: readonly LossTerm[];
  /** The batch-wide numbers that the expressions read, at most four. */
  readonly statistics: readonly Statistic[];
  /** What the expressions read of other records by rank, at most four. */
  readonly matchings: readonly RankMatching[];
  /**
   * What tokens beyond the length of a pair's shorter completion count in the summed log-probs; 1, as all
   * others, for all losses but {@linkcode ldDpo}'s.
   */
  readonly tailWeight: number;
  /** Implicit rewards, β times the score that the loss compares; null if it has none. Unpaired: `chosen` is the completion's. */
  readonly rewards: { readonly chosen: Expression; readonly rejected: Expression } | null;
  /** The z of the reported curvature σ(z) σ(−z), which is largest where the loss still learns; null if there is none. */
  readonly margin: Expression | null;
}

/** Parts of a loss with one term. */
export interface LossParts
  extends
    Pick<Loss, "name" | "kind">,
    Partial<Pick<Loss, "statistics" | "matchings" | "rewards" | "margin">> {
  /** The loss of one record, before it is divided by `per`. */
  readonly expression: Expression;
  /** What the sum over the batch is divided by. Default "record". */
  readonly per?: LossTerm["per"];
}

/**
 * Defines a loss by its formula.
 *
 * @example A hinge on the margin
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { defineLoss, evaluatePaired, expressions, record } from "@tr/align/losses";
 *
 * const { maximum, multiply, subtract } = expressions;
 * const chosen = subtract(record.policyChosen, record.referenceChosen);
 * const rejected = subtract(record.policyRejected, record.referenceRejected);
 * const margin = multiply(0.1, subtract(chosen, rejected));
 * const hinge = defineLoss({ name: "hinge", kind: "paired", expression: maximum(subtract(1, margin), 0), margin });
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-11], rejected: [-13] },
 * };
 * assertAlmostEquals(evaluatePaired(batch, hinge).loss, 0.8); // margin 0.1 · (1 + 1)
 * ```
 */
export function defineLoss(parts: LossParts): Loss {
  return {
    name: parts.name,
    kind: parts.kind,
    terms: [{ expression: parts.expression, weight: 1, per: parts.per ?? "record" }],
    statistics: parts.statistics ?? [],
    matchings: parts.matchings ?? [],
    tailWeight: 1,
    rewards: parts.rewards ?? null,
    margin: parts.margin ?? null,
  };
}
