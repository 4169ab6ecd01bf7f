import { createRandom, epochOrder, type Random } from "@tr/align/data";
import { everySituation, fill, type Manner, type Situation } from "./scenes.ts";

/** One text for supervised fine-tuning; the completion starts with a space, so that joining the two reads right. */
export interface CompletionRecord {
  /** The situation, up to the colon. */
  prompt: string;
  /** What the helper says, kind or curt. */
  completion: string;
}

/** One pair for preference training: two answers to the same prompt. */
export interface PreferenceRecord {
  /** The situation, up to the colon. */
  prompt: string;
  /** The answer that was preferred: the kind one, except where the label is wrong. */
  chosen: string;
  /** The answer that was not preferred. */
  rejected: string;
}

/** What {@linkcode generateCorpus} returns. No prompt occurs twice, neither within a list nor across them. */
export interface Corpus {
  /** Texts for supervised fine-tuning; every other one is kind, the rest curt. */
  supervised: CompletionRecord[];
  /** Pairs for preference training; a share of `labelNoise` has its labels swapped. */
  preferences: PreferenceRecord[];
  /** Pairs that are never trained on, all labelled correctly. */
  heldOut: PreferenceRecord[];
}

/** Options of {@linkcode generateCorpus}. */
export interface CorpusOptions {
  /** Fixes the whole corpus; 0 by default. */
  seed?: number;
  /** Number of supervised records; 4,000 by default. */
  supervised?: number;
  /** Number of preference pairs; 1,500 by default. */
  preferences?: number;
  /** Number of held-out pairs; 200 by default. */
  heldOut?: number;
  /** Chance, from 0 to 1, that a preference pair is labelled the wrong way round; 0.05 by default, as people err too. */
  labelNoise?: number;
}

/**
 * Writes a corpus of small everyday scenes in which one person turns to another, who answers kindly (preferred) or
 * curtly: the supervised part holds both manners equally, the preference part says which is better.
 *
 * @throws RangeError if a count is negative or not an integer, if the counts add up to more prompts than there are,
 * or if `labelNoise` is outside 0 to 1; Error if `seed` is not an integer.
 */
export function generateCorpus(options: CorpusOptions = {}): Corpus {
  const { seed = 0, supervised = 4000, preferences = 1500, heldOut = 200, labelNoise = 0.05 } = options;
  const situations = everySituation();
  for (const [name, count] of Object.entries({ supervised, preferences, heldOut })) {
    if (!Number.isInteger(count) || count < 0) {
      throw new RangeError(`generateCorpus: ${name} is ${count}; give an integer that is 0 or more`);
    }
  }
  const wanted = supervised + preferences + heldOut;
  if (wanted > situations.length) {
    throw new RangeError(
      `generateCorpus: ${wanted} prompts wanted, but only ${situations.length} different ones exist; ask for fewer`,
    );
  }
  if (!(labelNoise >= 0 && labelNoise <= 1)) {
    throw new RangeError(`generateCorpus: labelNoise is ${labelNoise}; give a share from 0 to 1`);
  }

  const order = epochOrder({ seed, epoch: 0, count: situations.length });
  const deck = Array.from(order, (index) => situations[index]!);
  const random = createRandom(seed, { stream: 1 }); // stream 0 was spent on the order
  const pair = (situation: Situation): PreferenceRecord => ({
    prompt: fill(situation.scene.prompt, situation),
    chosen: answer(random, situation, "kind"),
    rejected: answer(random, situation, "curt"),
  });
  return {
    supervised: deck.slice(0, supervised).map((situation, index) => ({
      prompt: fill(situation.scene.prompt, situation),
      completion: answer(random, situation, index % 2 === 0 ? "kind" : "curt"),
    })),
    preferences: deck.slice(supervised, supervised + preferences).map((situation) => {
      const right = pair(situation);
      const mislabelled = random.uniform() < labelNoise;
      return mislabelled ? { prompt: right.prompt, chosen: right.rejected, rejected: right.chosen } : right;
    }),
    heldOut: deck.slice(supervised + preferences, wanted).map(pair),
  };
}

function answer(random: Random, situation: Situation, manner: Manner): string {
  const { openings, closings } = situation.scene.answers[manner];
  const pick = (sentences: readonly string[]) => fill(sentences[random.below(sentences.length)]!, situation);
  return ` ${pick(openings)} ${pick(closings)}`;
}
