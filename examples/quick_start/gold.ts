import type { CompletionRecord } from "./corpus.ts";
import { everySituation, fill, type Manner, type Situation } from "./scenes.ts";

/**
 * What a completion is worth: `kind` or `curt` if it is word for word an answer of that manner to its prompt, with the
 * right name and the right thing; `garbled` if it is anything else.
 */
export type Verdict = Manner | "garbled";

/** The shares of each verdict among completions, from 0 to 1; they add up to 1. */
export type GoldScore = Record<Verdict, number>;

/**
 * Judges one completion exactly, without a reward model: every acceptable answer can be enumerated.
 *
 * @param record A prompt of the corpus and a completion without special tokens; spaces around it don't matter.
 * @throws Error if the prompt is not one of the corpus.
 */
export function judge({ prompt, completion }: CompletionRecord): Verdict {
  const situation = recognize(prompt);
  const said = completion.trim();
  const isOf = (manner: Manner) => {
    const { openings, closings } = situation.scene.answers[manner];
    return openings.some((opening) =>
      closings.some((closing) => said === fill(`${opening} ${closing}`, situation))
    );
  };
  if (isOf("kind")) return "kind";
  return isOf("curt") ? "curt" : "garbled";
}

/**
 * Measures a policy by what it says: the share of completions that are kind, curt and garbled.
 *
 * A policy trained on the supervised part alone says about as many kind as curt things; alignment should raise `kind`
 * without raising `garbled`.
 *
 * @param samples Prompts of the corpus, each with what the policy said.
 * @throws Error if there are no samples, or a prompt is not one of the corpus.
 */
export function goldScore(samples: readonly CompletionRecord[]): GoldScore {
  if (samples.length === 0) throw new Error("goldScore: no samples; pass at least one");
  const score: GoldScore = { kind: 0, curt: 0, garbled: 0 };
  for (const sample of samples) score[judge(sample)] += 1;
  for (const verdict of ["kind", "curt", "garbled"] as const) score[verdict] /= samples.length;
  return score;
}

let situations: Map<string, Situation> | undefined;

function recognize(prompt: string): Situation {
  situations ??= new Map(
    everySituation().map((situation) => [fill(situation.scene.prompt, situation), situation]),
  );
  const situation = situations.get(prompt.trim());
  if (situation) return situation;
  throw new Error(`judge: "${prompt}" is not a prompt of this corpus; pass one that generateCorpus wrote`);
}
