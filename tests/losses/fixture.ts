import type { PairedLogProbs, UnpairedLogProbs } from "../../losses/batch.ts";

/** The parts of a fixture's `expected.json` that losses need. */
interface Expected {
  batch: { sequences: number[][]; prompt_lengths: number[] };
  policy: { sequence_logps: number[] };
  reference: { sequence_logps: number[] };
  mismatched: { policy_sequence_logps: number[]; reference_sequence_logps: number[] };
  loss_terms: Record<string, number>;
  losses: Record<string, { value: number; items: number[] }>;
}

/** Names of the model fixtures whose losses are checked. */
export const fixtureNames = ["llama-gqa", "llama3-rope"] as const;

/** A fixture's log-probs as batches, with the values PyTorch in float64 has for them (tests/fixtures). */
export interface LossFixture {
  paired: PairedLogProbs & Required<Pick<PairedLogProbs, "lengths">>;
  unpaired: UnpairedLogProbs;
  terms: Expected["loss_terms"];
  losses: Expected["losses"];
}

export async function readFixture(name: string): Promise<LossFixture> {
  const url = new URL(`../fixtures/${name}/expected.json`, import.meta.url);
  const expected: Expected = JSON.parse(await Deno.readTextFile(url));
  const { batch, policy, reference, mismatched } = expected;
  const lengths = batch.sequences.map((sequence, index) => sequence.length - batch.prompt_lengths[index]!);
  // chosen of pairs 0, 1, 2, then rejected
  const split = (values: number[]) => ({ chosen: values.slice(0, 3), rejected: values.slice(3) });
  return {
    paired: {
      policy: split(policy.sequence_logps),
      reference: split(reference.sequence_logps),
      lengths: split(lengths),
    },
    unpaired: {
      policy: { completion: policy.sequence_logps },
      reference: { completion: reference.sequence_logps },
      labels: [1, 1, 1, 0, 0, 0],
      mismatched: {
        policy: mismatched.policy_sequence_logps,
        reference: mismatched.reference_sequence_logps,
      },
    },
    terms: expected.loss_terms,
    losses: expected.losses,
  };
}

/** The log-probs of torchtune's loss tests and the losses it expects at β 0.1. */
export const torchtune = {
  batch: {
    policy: { chosen: [-0.5, -10, -1], rejected: [-0.1, -30, -21] },
    reference: { chosen: [-0.5, -10.1, -0.1], rejected: [-0.1, -20.1, -0.1] },
  },
  dpo: [0.693147, 0.313262, 0.126928],
};
