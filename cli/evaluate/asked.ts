/** What is asked, and answers that are there already. */
import { isJsonObject } from "../../data/fields.ts";
import { encodePrompt, type Prompt, readPrompts } from "../../data/prompts.ts";
import { readEntries } from "../../data/read.ts";
import type { Tokenizer } from "../../data/tokenizer.ts";
import type { Examples } from "../../training/examples.ts";
import { UserError } from "../errors.ts";

/** Prompts to answer. */
export interface Asked {
  /** As text or messages. */
  readonly prompts: readonly Prompt[];
  /** The token ids with which a model is asked the prompt at an index. */
  encode(index: number, tokenizer: Tokenizer): ArrayLike<number>;
}

/** The prompts of files. */
export async function askFromFiles(
  paths: readonly string[],
  { limit }: { limit: number | null },
): Promise<Asked> {
  const entries = (await Promise.all(paths.map(readPrompts))).flat();
  const prompts = entries.map(({ prompt }) => prompt).slice(0, limit ?? undefined);
  return { prompts, encode: (index, tokenizer) => encodePrompt(prompts[index]!, tokenizer) };
}

/**
 * The distinct prompts of records. To the policy they are the records' own tokens; to other models they are text, without
 * special tokens.
 */
export function askFromRecords(
  examples: Examples,
  { tokenizer, limit }: { tokenizer: Tokenizer; limit: number | null },
): Asked {
  const found = new Map<string, number[]>();
  for (const { prompt } of examples) {
    if (found.size === limit) break;
    const ids = Array.from(prompt);
    found.set(ids.join(), ids);
  }
  const all = [...found.values()];
  const prompts = all.map((ids) => tokenizer.decode(ids, { skipSpecialTokens: true }));
  return {
    prompts,
    encode: (index, other) => other === tokenizer ? all[index]! : encodePrompt(prompts[index]!, other),
  };
}

/**
 * Reads answers, one a prompt: `completion` of each entry, or `output` as AlpacaEval calls it.
 *
 * @throws {UserError} if one is missing, or belongs to another prompt
 */
export async function readAnswers(path: string, prompts: readonly Prompt[]): Promise<string[]> {
  const answers: string[] = [];
  for await (const { line, value } of readEntries(path)) {
    if (answers.length === prompts.length) break;
    const answer = isJsonObject(value) ? value.completion ?? value.output : undefined;
    if (typeof answer !== "string") {
      throw new UserError(`${path}:${line}: wanted an object with a completion, which is text`);
    }
    const prompt = (value as { prompt?: unknown }).prompt;
    if (prompt !== undefined && JSON.stringify(prompt) !== JSON.stringify(prompts[answers.length])) {
      throw new UserError(
        `${path}:${line}: answers another prompt than entry ${
          answers.length + 1
        } of data.prompts; wanted the same order`,
      );
    }
    answers.push(answer);
  }
  if (answers.length === prompts.length) return answers;
  throw new UserError(
    `${path}: holds ${answers.length} answers to ${prompts.length} prompts; wanted one each`,
  );
}

/** A prompt as one text, for a judge. */
export function textOf(prompt: Prompt): string {
  if (typeof prompt === "string") return prompt;
  const contentOf = ({ content }: typeof prompt[number]) =>
    typeof content === "string" ? content : JSON.stringify(content);
  return prompt.length === 1
    ? contentOf(prompt[0]!)
    : prompt.map((message) => `${message.role}: ${contentOf(message)}`).join("\n\n");
}
