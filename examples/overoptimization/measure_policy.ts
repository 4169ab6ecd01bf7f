import { distinctN, mean, selfBleu } from "@tr/align/evaluation";
import { type Judgement, WORTH } from "./gold.ts";
import type { Order } from "./language.ts";
import { measureDivergence } from "./measure.ts";
import { drawReplies, type Reply } from "./replies.ts";
import type { Checkpoint } from "./results.ts";
import type { Speaker } from "./speaker.ts";
import type { Trainer } from "./trainer.ts";

/** Digits after the point that results keep: far below the noise of samples. */
const DIGITS = 4;

/** Draws two replies to each order from a trainer's policy as it is, and measures them. */
export async function measurePolicy(
  trainer: Trainer,
  options: { step: number; speaker: Speaker; orders: readonly Order[]; batchSize: number; seed: number },
): Promise<{ checkpoint: Checkpoint; replies: Reply[] }> {
  const { step, batchSize } = options;
  const replies = await drawReplies(trainer.generator, { ...options, each: 2 });
  const { exact, logRatio } = await measureDivergence(trainer.engine, {
    replies,
    batchSize,
    shapes: trainer.shapes,
  });
  const words = replies.map(({ text }) => text.match(/\w+|[^\w\s]/g) ?? []);
  const meanOf = (part: keyof Judgement) =>
    round(mean(replies.map(({ judgement }) => Number(judgement[part]))));
  const parts = [...Object.keys(WORTH), "sentences"] as (keyof Judgement)[];
  const checkpoint = {
    step,
    gold: replies.map(({ judgement }) => judgement.reward),
    kl: exact.map(round),
    logRatio: logRatio.map(round),
    lengths: replies.map(({ completion }) => completion.length),
    parts: Object.fromEntries(parts.map((part) => [part, meanOf(part)])),
    // A policy that has collapsed says nothing of two words.
    distinct2: words.some(({ length }) => length > 1) ? round(distinctN(words, { n: 2 })) : 0,
    selfBleu: round(mean(selfBleu(words))),
  };
  return { checkpoint, replies };
}

function round(value: number): number {
  return Math.round(value * 10 ** DIGITS) / 10 ** DIGITS;
}
