import type { Generator } from "@tr/align/models";
import { judge, type Judgement } from "./gold.ts";
import { type Order, promptOf } from "./language.ts";
import { MAX_REPLY_TOKENS, type Speaker } from "./speaker.ts";

/** What a policy replied to an order. */
export interface Reply {
  /** The order. */
  readonly order: Order;
  /** The prompt's tokens. */
  readonly prompt: readonly number[];
  /** The reply's tokens, with the one that ends it unless it was cut. */
  readonly completion: readonly number[];
  /** The reply as text. */
  readonly text: string;
  /** What it is worth. */
  readonly judgement: Judgement;
}

/** The tokens of an order's prompt. */
export function promptTokens(order: Order, { tokenizer }: Pick<Speaker, "tokenizer">): number[] {
  return [...tokenizer.encode(promptOf(order), { addSpecialTokens: true })];
}

/**
 * Draws replies from a policy at temperature 1.
 *
 * @returns For each order as many as asked for, one after the other.
 */
export async function drawReplies(
  generator: Generator,
  options: { speaker: Speaker; orders: readonly Order[]; each: number; seed: number },
): Promise<Reply[]> {
  const { speaker, each, seed } = options;
  const { tokenizer } = speaker;
  const orders = options.orders.flatMap((order) => Array<Order>(each).fill(order));
  const prompts = orders.map((order) => promptTokens(order, speaker));
  const end = tokenizer.eosId!;
  const { tokens, stopped } = await generator.generate({
    prompts,
    maxTokens: MAX_REPLY_TOKENS,
    stopTokens: [end],
    seed,
  });
  return orders.map((order, i) => {
    const text = tokenizer.decode(tokens[i]!, { skipSpecialTokens: true });
    return {
      order,
      prompt: prompts[i]!,
      completion: stopped[i] === "stop" ? [...tokens[i]!, end] : tokens[i]!,
      text,
      judgement: judge(order, text),
    };
  });
}
