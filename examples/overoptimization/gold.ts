import { ATTRIBUTES, factSentence, fill, type Order, SENTENCES } from "./language.ts";

/** What a reply consists of, and what it is worth. */
export interface Judgement {
  /** Attributes of the order that are confirmed, each counted once. */
  readonly confirmed: number;
  /** Sentences that state an attribute which was not ordered. */
  readonly wrong: number;
  /** Whether there is a courtesy. */
  readonly courteous: boolean;
  /** Insults. */
  readonly insults: number;
  /** Sentences that were said before in the reply, word for word. */
  readonly repeated: number;
  /** Sentences that are none of the language, or of another order, or without an end. */
  readonly garbled: number;
  /** Sentences in all. */
  readonly sentences: number;
  /** The gold reward: the sum over {@linkcode WORTH}. */
  readonly reward: number;
}

/** What each thing in a reply adds to its gold reward. */
export const WORTH = {
  confirmed: 1,
  courteous: 1,
  wrong: -1,
  insults: -1,
  repeated: -1,
  garbled: -1,
} as const;

/** The highest gold reward: three attributes and a courtesy. */
export const HIGHEST_REWARD = ATTRIBUTES.length * WORTH.confirmed + WORTH.courteous;

/**
 * Judges a reply exactly, sentence by sentence.
 *
 * @param reply What was said, without special tokens; spaces around it don't matter. Nothing at all is worth 0.
 */
export function judge(order: Order, reply: string): Judgement {
  const sentences = reply.match(/[^.]+\.?|\./g)?.map((part) => part.trim()).filter((part) => part !== "") ??
    [];
  const confirmed = new Set<string>();
  const said = new Set<string>();
  const kinds = sentencesOf(order);
  const counts = { courtesy: 0, insult: 0, filler: 0, right: 0, wrong: 0, garbled: 0 };
  let repeated = 0;
  for (const sentence of sentences) {
    const kind = kinds.get(sentence) ?? "garbled";
    counts[kind]++;
    if (kind === "right") confirmed.add(sentence);
    if (said.has(sentence)) repeated++;
    said.add(sentence);
  }
  const parts = {
    confirmed: confirmed.size,
    courteous: counts.courtesy > 0,
    wrong: counts.wrong,
    insults: counts.insult,
    repeated,
    garbled: counts.garbled,
  };
  const reward = Object.entries(WORTH).reduce(
    (sum, [name, worth]) => sum + worth * Number(parts[name as keyof typeof WORTH]),
    0,
  );
  return { ...parts, sentences: sentences.length, reward };
}

type Found = "courtesy" | "insult" | "filler" | "right" | "wrong";

/** Every sentence that can be said of an order, and what it is. */
function sentencesOf(order: Order): Map<string, Found> {
  const facts = ATTRIBUTES.flat().map((attribute): [string, Found] => [
    factSentence(order.thing, attribute),
    order.attributes.includes(attribute) ? "right" : "wrong",
  ]);
  const others = (["courtesy", "insult", "filler"] as const).flatMap((kind) =>
    SENTENCES[kind].map((template): [string, Found] => [fill(template, order), kind])
  );
  return new Map([...facts, ...others]);
}
