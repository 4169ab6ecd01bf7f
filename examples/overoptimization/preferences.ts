import { createRandom } from "@tr/align/data";
import type { Reply } from "./replies.ts";

/** Two replies to the same order, and which of them was preferred. */
export interface Preference {
  /** The reply that was preferred. */
  readonly chosen: Reply;
  /** The other one. */
  readonly rejected: Reply;
}

/** Options of {@linkcode labelPreferences}. */
export interface LabelOptions {
  /**
   * Bradley and Terry's noise: a reply that is better by Δ is preferred with the chance σ(Δ / temperature). 0 has no
   * noise.
   */
  readonly temperature: number;
  /** Fixes the labels. */
  readonly seed: number;
}

/**
 * Labels neighbouring replies as pairs, as a person would who sees which is better but not always.
 *
 * Two replies that are the same word for word are no pair and are left out.
 *
 * @param replies Two to each order, one after the other.
 */
export function labelPreferences(
  replies: readonly Reply[],
  { temperature, seed }: LabelOptions,
): Preference[] {
  const random = createRandom(seed, { stream: 2 });
  const preferences: Preference[] = [];
  for (let i = 0; i + 1 < replies.length; i += 2) {
    const [first, second] = [replies[i]!, replies[i + 1]!];
    const drawn = random.uniform(); // for each pair, so that one left out doesn't change the others
    if (first.text === second.text) continue;
    const difference = first.judgement.reward - second.judgement.reward;
    const isFirst = drawn < preferenceChance(difference, { temperature });
    preferences.push(
      isFirst ? { chosen: first, rejected: second } : { chosen: second, rejected: first },
    );
  }
  return preferences;
}

/** The chance σ(Δ / temperature) that a reply which is better by Δ is preferred; ½ where neither is better. */
export function preferenceChance(difference: number, { temperature }: { temperature: number }): number {
  if (difference === 0) return 0.5;
  return 1 / (1 + Math.exp(-difference / temperature));
}

/** The share of pairs, among those where one reply is better, in which the worse one was preferred. */
export function noiseRate(preferences: readonly Preference[]): number {
  const differences = preferences.map(({ chosen, rejected }) =>
    chosen.judgement.reward - rejected.judgement.reward
  ).filter((difference) => difference !== 0);
  return differences.filter((difference) => difference < 0).length / Math.max(1, differences.length);
}
