/** Log-probs of batches: out of a program's outputs, and put end to end. */
import type { ProgramOutputs } from "../kernels/program.ts";
import type { BatchLogProbs } from "./metrics.ts";

/**
 * The log-probs in a program's outputs, without those of padding.
 *
 * @param count Sequences that are not padding.
 * @param options.measuresInitial Whether to say something about the initial reference; what the outputs lack of it is
 * that of the current one, which then is still the same. Default true.
 */
export function takeLogProbs(
  outputs: ProgramOutputs,
  count: number,
  { measuresInitial = true }: { measuresInitial?: boolean } = {},
): Omit<BatchLogProbs, "lengths" | "labels" | "margins"> {
  const { policy, reference, initial = reference, log_weights: logWeights } = outputs;
  const { "kl/reference": referenceDivergence, "kl/initial": initialDivergence = referenceDivergence } =
    outputs;
  const cut = (values: Float32Array) => values.subarray(0, count);
  return {
    policy: cut(policy!),
    ...(logWeights ? { logWeights: cut(logWeights) } : {}),
    ...(reference ? { reference: cut(reference) } : {}),
    ...(referenceDivergence ? { referenceDivergence: cut(referenceDivergence) } : {}),
    ...(measuresInitial && initial ? { initial: cut(initial) } : {}),
    ...(measuresInitial && initialDivergence ? { initialDivergence: cut(initialDivergence) } : {}),
  };
}

/** The arrays of a batch that have one number a sequence, and the labels. */
const JOINED = [
  "policy",
  "lengths",
  "labels",
  "margins",
  "logWeights",
  "reference",
  "initial",
  "referenceDivergence",
  "initialDivergence",
] as const;

/** Puts the micro-batches of a step end to end. */
export function joinBatches(parts: readonly BatchLogProbs[]): BatchLogProbs {
  const given = JOINED.filter((name) => parts[0]?.[name] !== undefined);
  return Object.fromEntries(
    given.map((name) => [name, concatenate(parts.map((part) => part[name]!))]),
  ) as unknown as BatchLogProbs;
}

/** Puts the mismatched sequences of a step end to end; nothing if there are none. */
export function joinMismatched(
  outputs: readonly ProgramOutputs[],
  runs: readonly { readonly records: number }[],
): Pick<BatchLogProbs, "mismatched"> {
  if (runs.length === 0) return {};
  const join = (name: "policy" | "reference") =>
    concatenate(outputs.map((output, i) => output[name]!.subarray(0, runs[i]!.records)));
  return { mismatched: { policy: join("policy"), reference: join("reference") } };
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
