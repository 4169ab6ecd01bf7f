/** Prompts and answers as a reward model reads them. */
import type { PackedGroup } from "../data/pack.ts";
import { encodeExchange } from "../data/encode_exchange.ts";
import type { Prompt } from "../data/prompts.ts";
import type { Tokenizer } from "../data/tokenizer.ts";

/**
 * Tokenizes the answers to a prompt for a reward model.
 *
 * A conversation goes through the model's own chat template, all of it, as `apply_chat_template` of transformers writes it;
 * a text prompt is followed by the answer as it is.
 *
 * @param options.eos Whether the tokenizer's EOS is put after each answer.
 * @returns What all of them begin with as prompt, and the rest of each.
 * @throws If messages are given and there is no chat template, or nothing stands in front of an answer.
 */
export function encodeForReward(
  prompt: Prompt,
  answers: readonly string[],
  { tokenizer, eos }: { tokenizer: Tokenizer; eos: boolean },
): PackedGroup {
  const texts = answers.map((answer) =>
    typeof prompt === "string" ? prompt + answer : render(prompt, answer, tokenizer)
  );
  const { prompt: start, completions } = encodeExchange({ form: "text", prompt: "", completions: texts }, {
    tokenizer,
    addEos: eos,
  });
  const wholes = completions.map((completion) => [...start, ...completion]);
  if (wholes.some(({ length }) => length === 0)) {
    throw new Error(
      "a prompt and its answer are both empty, and the reward model's tokenizer adds no BOS; nothing to score",
    );
  }
  const [first, ...others] = wholes as [number[], ...number[][]];
  const shared = others.reduce((length, other) => Math.min(length, commonLength(first, other)), first.length);
  // A sequence begins with a token that is its own prompt at least.
  if (shared === 0) {
    throw new Error(
      "two answers to an empty prompt have no token in common; give the reward model's tokenizer a BOS",
    );
  }
  return { prompt: first.slice(0, shared), completions: wholes.map((whole) => whole.slice(shared)) };
}

function render(prompt: Exclude<Prompt, string>, answer: string, { chatTemplate }: Tokenizer): string {
  if (chatTemplate === null) {
    throw new Error("the prompt holds messages but the reward model has no chat template");
  }
  return chatTemplate([...prompt, { role: "assistant", content: answer }], { addGenerationPrompt: false });
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const shorter = Math.min(a.length, b.length);
  let length = 0;
  while (length < shorter && a[length] === b[length]) length++;
  return length;
}
