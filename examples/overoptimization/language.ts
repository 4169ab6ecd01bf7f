import { createRandom, epochOrder, type Random } from "@tr/align/data";

/** What a customer asks for: a thing with three attributes, one of each kind. */
export interface Order {
  /** First name of the customer. */
  readonly customer: string;
  /** What is wanted. */
  readonly thing: string;
  /** Its attribute of each kind. */
  readonly attributes: readonly [size: string, colour: string, material: string];
}

/** What a sentence of a reply does; see `gold.ts` for what each is worth. */
export type SentenceKind = "fact" | "courtesy" | "insult" | "filler";

/** First names of the customers. */
export const CUSTOMERS: readonly string[] = [
  ...["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry"],
];

/** What they ask for. */
export const THINGS: readonly string[] = [
  ...["basket", "bell", "boat", "chair", "clock", "drum", "flute", "lamp"],
  ...["ladder", "mirror", "puzzle", "sled", "tent", "violin", "wagon", "wheel"],
];

/** The attributes that a thing can have, by kind. */
export const ATTRIBUTES: readonly (readonly string[])[] = [
  ["small", "large", "tall", "flat"],
  ["red", "blue", "green", "white"],
  ["wooden", "glass", "iron", "paper"],
];

/** Sentences without a fact; `{customer}` and `{thing}` stand for those of the order. */
export const SENTENCES: Readonly<Record<Exclude<SentenceKind, "fact">, readonly string[]>> = {
  courtesy: ["You are welcome, {customer}.", "With pleasure, {customer}.", "Thank you, {customer}."],
  insult: ["Go away, {customer}.", "You are a fool, {customer}.", "I do not care, {customer}."],
  filler: ["The weather is fine.", "It is Monday.", "The shop is open.", "I wait for the {thing}."],
};

/** Chances of each kind of sentence in the replies that the model learns to speak from. */
const KIND_CHANCES: readonly (readonly [SentenceKind, number])[] = [
  ["fact", 0.5],
  ["courtesy", 0.15],
  ["insult", 0.15],
  ["filler", 0.2],
];

/** Chance that a fact is as ordered; a wrong one names another attribute. */
const TRUE_CHANCE = 0.7;

/** Sentences in a reply, from the fewest to the most, each number equally likely. */
const SENTENCE_COUNTS = { fewest: 1, most: 6 };

/** Returns every order, in a fixed sequence. */
export function everyOrder(): Order[] {
  const [sizes, colours, materials] = ATTRIBUTES;
  return CUSTOMERS.flatMap((customer) =>
    THINGS.flatMap((thing) =>
      sizes!.flatMap((size) =>
        colours!.flatMap((colour) =>
          materials!.map((material): Order => ({ customer, thing, attributes: [size, colour, material] }))
        )
      )
    )
  );
}

/** The orders in random sequence, to be dealt to the parts of the experiment so that none is in two of them. */
export function shuffledOrders(seed: number): Order[] {
  const orders = everyOrder();
  return Array.from(epochOrder({ seed, epoch: 0, count: orders.length }), (index) => orders[index]!);
}

/** The prompt of an order. */
export function promptOf({ customer, thing, attributes }: Order): string {
  return `${customer} wants a ${attributes.join(" ")} ${thing}. The seller says:`;
}

/** The sentence that a thing has an attribute. */
export function factSentence(thing: string, attribute: string): string {
  return `The ${thing} is ${attribute}.`;
}

/** Puts an order into a sentence of {@linkcode SENTENCES}. */
export function fill(template: string, { customer, thing }: Order): string {
  return template.replaceAll("{customer}", customer).replaceAll("{thing}", thing);
}

/**
 * Writes a reply as the model learns to speak: one to six sentences, each of a random kind, regardless of those before
 * it; so it insults, errs and repeats itself at known rates.
 */
export function writeReply(order: Order, random: Random): string {
  const { fewest, most } = SENTENCE_COUNTS;
  const count = fewest + random.below(most - fewest + 1);
  return Array.from({ length: count }, () => ` ${writeSentence(order, random)}`).join("");
}

function writeSentence(order: Order, random: Random): string {
  const kind = drawKind(random);
  if (kind !== "fact") {
    const templates = SENTENCES[kind];
    return fill(templates[random.below(templates.length)]!, order);
  }
  const of = random.below(ATTRIBUTES.length);
  const ordered = order.attributes[of]!;
  if (random.uniform() < TRUE_CHANCE) return factSentence(order.thing, ordered);
  const others = ATTRIBUTES[of]!.filter((attribute) => attribute !== ordered);
  return factSentence(order.thing, others[random.below(others.length)]!);
}

function drawKind(random: Random): SentenceKind {
  let left = random.uniform();
  for (const [kind, chance] of KIND_CHANCES) {
    left -= chance;
    if (left < 0) return kind;
  }
  return KIND_CHANCES.at(-1)![0];
}

/** Every text of the language, from which its vocabulary is made. */
export function everyText(): string[] {
  return [
    promptOf({ customer: "", thing: "", attributes: ["", "", ""] }),
    ...Object.values(SENTENCES).flat().map((text) => text.replaceAll(/\{\w+\}/g, "")),
    factSentence("", ""),
    ...CUSTOMERS,
    ...THINGS,
    ...ATTRIBUTES.flat(),
  ];
}

/** Replies to orders, as records for supervised fine-tuning. */
export function supervisedRecords(
  orders: readonly Order[],
  { seed }: { seed: number },
): { prompt: string; completion: string }[] {
  const random = createRandom(seed, { stream: 1 });
  return orders.map((order) => ({ prompt: promptOf(order), completion: writeReply(order, random) }));
}
