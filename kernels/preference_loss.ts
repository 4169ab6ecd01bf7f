/** A loss over the sequences of a batch, with its gradient, in one workgroup. */
import { differentiate, dispatch, type Graph, needsGradient, temporary } from "./graph.ts";
import {
  giveBack,
  PLANES,
  rankFunctions,
  rankRecords,
  takeMatched,
  THREADS,
  throughMatchings,
} from "./preference_loss_ranks.ts";
import type { Tensor } from "./tensor.ts";

/**
 * The formula of a loss as WGSL. `@tr/align/losses` compiles its definitions to this; any text that defines the same
 * functions will do: `LossRecord`, `LossValue`, `loss_value`, `loss_statistic_terms`,
 * `loss_statistic_terms_chosen_gradient`, `loss_statistic_terms_rejected_gradient`, `loss_statistics` and
 * `loss_statistics_gradient`; with matchings also `loss_ranked`, `loss_ranked_with`,
 * `loss_ranked_with_chosen_gradient` and `loss_ranked_with_rejected_gradient`.
 */
export interface LossFormula {
  /** For messages and profiles. */
  readonly name: string;
  /** The functions. */
  readonly wgsl: string;
  /** The batch-wide numbers it reads, in order: where their mean is taken, and whether gradient flows through them. */
  readonly statistics: readonly { readonly source: "records" | "mismatched"; readonly detached: boolean }[];
  /** How many numbers each record gets from the records of its rank, at most four; default 0. */
  readonly matchings?: number;
}

/** Tensors that {@linkcode preferenceLoss} reads. */
export interface PreferenceLossInputs {
  /** [sequences], summed log-probs under the reference; left out by losses that need none. */
  reference?: Tensor;
  /** [sequences], completion lengths in tokens. */
  lengths: Tensor;
  /**
   * [records], what the data says: 1 for a desirable and 0 for an undesirable completion, or the margin of a
   * pair.
   */
  labels: Tensor;
  /** [4]: 1 / records of the optimizer step, 1 / its chosen tokens, records in this batch, 1 / mismatched sequences of the step. */
  shares: Tensor;
  /** [4], sums of the statistics' terms over mismatched sequences, from {@linkcode mismatchedTerms}. */
  mismatched?: Tensor;
  /** [sequences], sums of log p(token) − log Σ p² under the policy; left out by losses that weigh no records. */
  logWeights?: Tensor;
}

/** Bindings that only some losses have, in their order. */
interface Extras {
  mismatched?: Tensor | undefined;
  logWeights?: Tensor | undefined;
}

const recordStruct = (sequencesPerRecord: 1 | 2, labels: boolean, extras: Extras = {}): string => {
  const at = (name: string) =>
    sequencesPerRecord === 2 ? `vec2f(${name}[2u * i], ${name}[2u * i + 1u])` : `vec2f(${name}[i], 0.0)`;
  const mark = labels ? "labels[i]" : "1.0";
  const [label, margin] = sequencesPerRecord === 2 ? ["1.0", mark] : [mark, "0.0"];
  const logWeight = extras.logWeights
    ? `${at("log_weights")} / max(${at("lengths")}, vec2f(1.0))`
    : "vec2f()";
  return `LossRecord(${at("policy")}, ${at("reference")}, ${
    at("lengths")
  }, ${label}, ${margin}, ${logWeight}, ` +
    "shares.x, shares.y)";
};

const reduceToFirst = `
  for (var step = ${THREADS / 2}u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) { partial[thread] += partial[thread + step]; }
  }
  workgroupBarrier();`;

/**
 * The loss of each record of a batch, with d loss / d policy for the backward pass.
 *
 * @param policy [sequences], summed log-probs of completions under the policy. Two sequences a record (chosen, rejected)
 * or one.
 * @param inputs The other tensors, and the formula.
 * @returns [records]: each record's share of the loss; their sum over the micro-batches of a step is the loss.
 * @throws If the sequences are not as many as `sequencesPerRecord` × records.
 */
export function preferenceLoss(
  graph: Graph,
  policy: Tensor,
  inputs: PreferenceLossInputs & { formula: LossFormula; sequencesPerRecord: 1 | 2 },
): Tensor {
  const { formula, sequencesPerRecord, reference = policy, lengths, labels, shares } = inputs;
  const [records = 0] = labels.shape;
  if (policy.shape[0] !== records * sequencesPerRecord) {
    throw new RangeError(
      `preferenceLoss: ${policy.shape[0]} sequences for ${records} records of ${sequencesPerRecord}`,
    );
  }
  const usesMismatched = formula.statistics.some(({ source }) => source === "mismatched");
  if (usesMismatched && inputs.mismatched === undefined) {
    throw new Error(`preferenceLoss: ${formula.name} needs the statistics of mismatched sequences`);
  }
  const { matchings = 0 } = formula;
  const extras: Extras = {
    mismatched: usesMismatched ? inputs.mismatched : undefined,
    logWeights: inputs.logWeights,
  };
  const losses = temporary([records], "losses");
  const withRanks = temporary([(sequencesPerRecord + matchings * PLANES) * records], "loss gradient");
  const gradient: Tensor = { ...withRanks, shape: policy.shape };
  dispatch(graph, {
    kernel: {
      label: `loss ${formula.name}`,
      code: lossWgsl(formula, { sequencesPerRecord, extras }),
    },
    bindings: [
      [policy, "read"],
      [reference, "read"],
      [lengths, "read"],
      [labels, "read"],
      [shares, "read"],
      [losses, "write"],
      [withRanks, "write"],
      ...extraBindings(extras).map(({ tensor }) => [tensor, "read"] as const),
    ],
    uniforms: [records],
    workgroups: [1],
  });
  differentiate(graph, {
    output: losses,
    inputs: [policy],
    rule: (_, gradients) => {
      if (needsGradient(graph, policy)) gradients.set(policy, gradient);
    },
  });
  return losses;
}

function lossWgsl(
  formula: LossFormula,
  { sequencesPerRecord, extras }: { sequencesPerRecord: 1 | 2; extras: Extras },
): string {
  const { matchings = 0 } = formula;
  const bindings = extraBindings(extras);
  const fromRecords = formula.statistics.map(({ source }) => source === "records");
  const flows = formula.statistics.some(({ source, detached }) => source === "records" && !detached);
  const mask = Array.from({ length: 4 }, (_, k) => fromRecords[k] ? "1.0" : "0.0").join(", ");
  return `${formula.wgsl}
struct Sizes { records: u32 }
@group(0) @binding(0) var<storage, read> policy: array<f32>;
@group(0) @binding(1) var<storage, read> reference: array<f32>;
@group(0) @binding(2) var<storage, read> lengths: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<f32>;
@group(0) @binding(4) var<storage, read> shares: vec4f;
@group(0) @binding(5) var<storage, read_write> losses: array<f32>;
@group(0) @binding(6) var<storage, read_write> gradient: array<f32>;
${bindings.map(({ declaration }, i) => `@group(0) @binding(${7 + i}) ${declaration}`).join("\n")}
@group(0) @binding(${7 + bindings.length}) var<uniform> sizes: Sizes;

var<workgroup> partial: array<vec4f, ${THREADS}>;

fn record_of(i: u32) -> LossRecord { return ${recordStruct(sequencesPerRecord, true, extras)}; }
${matchings > 0 ? rankFunctions(matchings, { sequencesPerRecord }) : ""}

@compute @workgroup_size(${THREADS})
fn main(@builtin(local_invocation_index) thread: u32) {
  let records = min(u32(shares.z), sizes.records);
  var mean = vec4f();
${
    fromRecords.some(Boolean)
      ? `  var terms = vec4f();
  for (var i = thread; i < records; i += ${THREADS}u) { terms += loss_statistic_terms(record_of(i)); }
  partial[thread] = terms;${reduceToFirst}
  mean += partial[0] / shares.z * vec4f(${mask});
  workgroupBarrier();`
      : ""
  }
${extras.mismatched ? `  mean += mismatched * shares.w * (1.0 - vec4f(${mask}));` : ""}
  let statistics = loss_statistics(mean);
  var through = vec4f();
${matchings > 0 ? rankRecords : ""}
  for (var i = thread; i < sizes.records; i += ${THREADS}u) {
    var share = 0.0;
    var slope = vec2f();
    if (i < records) {
      ${matchings > 0 ? takeMatched : "let matched = vec4f();"}
      let value = loss_value(record_of(i), statistics, matched);
      share = value.loss;
      slope = value.gradient;
      through += value.statistic_gradient;
      ${matchings > 0 ? giveBack : ""}
    }
    losses[i] = share;
    ${
    sequencesPerRecord === 2
      ? "gradient[2u * i] = slope.x; gradient[2u * i + 1u] = slope.y;"
      : "gradient[i] = slope.x;"
  }
  }
${flows ? throughStatistics(sequencesPerRecord, mask) : ""}
${matchings > 0 ? throughMatchings(sequencesPerRecord) : ""}
}`;
}

/** The bindings that a loss has beside those of all losses. */
function extraBindings(
  { mismatched, logWeights }: Extras,
): { tensor: Tensor; declaration: string }[] {
  const all = [
    [mismatched, "var<storage, read> mismatched: vec4f;"],
    [logWeights, "var<storage, read> log_weights: array<f32>;"],
  ] as const;
  return all.flatMap(([tensor, declaration]) => tensor ? [{ tensor, declaration }] : []);
}

/** Adds the part of the gradient that flows through batch-wide means. */
function throughStatistics(sequencesPerRecord: 1 | 2, mask: string): string {
  return `  partial[thread] = through;${reduceToFirst}
  let slope = partial[0] * loss_statistics_gradient(mean) / shares.z * vec4f(${mask});
  for (var i = thread; i < records; i += ${THREADS}u) {
    let of_chosen = dot(slope, loss_statistic_terms_chosen_gradient(record_of(i)));
    ${
    sequencesPerRecord === 2
      ? `gradient[2u * i] += of_chosen;
    gradient[2u * i + 1u] += dot(slope, loss_statistic_terms_rejected_gradient(record_of(i)));`
      : "gradient[i] += of_chosen;"
  }
  }`;
}

/**
 * Adds the terms of a loss's mismatched statistics to `into`, which must be cleared at the start of an optimizer step.
 *
 * @param policy [sequences], summed log-probs of mismatched completions under the policy.
 * @param inputs The formula, the same under the reference, and [4] to add to. `shares` as for {@linkcode preferenceLoss}.
 */
export function mismatchedTerms(
  graph: Graph,
  policy: Tensor,
  inputs: { formula: LossFormula; reference: Tensor; lengths: Tensor; shares: Tensor; into: Tensor },
): void {
  const { formula, reference, lengths, shares, into } = inputs;
  const code = `${formula.wgsl}
struct Sizes { records: u32 }
@group(0) @binding(0) var<storage, read> policy: array<f32>;
@group(0) @binding(1) var<storage, read> reference: array<f32>;
@group(0) @binding(2) var<storage, read> lengths: array<f32>;
@group(0) @binding(3) var<storage, read> shares: vec4f;
@group(0) @binding(4) var<storage, read_write> into: vec4f;
@group(0) @binding(5) var<uniform> sizes: Sizes;

var<workgroup> partial: array<vec4f, ${THREADS}>;

@compute @workgroup_size(${THREADS})
fn main(@builtin(local_invocation_index) thread: u32) {
  var terms = vec4f();
  for (var i = thread; i < min(u32(shares.z), sizes.records); i += ${THREADS}u) {
    terms += loss_statistic_terms(${recordStruct(1, false)});
  }
  partial[thread] = terms;${reduceToFirst}
  if (thread == 0u) { into += partial[0]; }
}`;
  dispatch(graph, {
    kernel: { label: `mismatched terms ${formula.name}`, code },
    bindings: [[policy, "read"], [reference, "read"], [lengths, "read"], [shares, "read"], [into, "update"]],
    uniforms: [policy.shape[0]!],
    workgroups: [1],
  });
}
