import { encodeExchange } from "./encode_exchange.ts";
import { isJsonObject, refuseRecord } from "./fields.ts";
import { readTextOrMessages } from "./messages.ts";
import { readEntries } from "./read.ts";
import type { Message } from "./records.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What a model is asked: text to continue, or a conversation to answer. */
export type Prompt = string | readonly Message[];

/**
 * Reads prompts from a file: objects with a `prompt`, which is text or a list of messages.
 *
 * @param path JSON lines or a JSON array, plain or gzipped, or parquet.
 * @throws {Error} `prompts.jsonl:17: …` for an entry without a prompt, or if the file can't be read or is
 * empty.
 */
export async function readPrompts(path: string): Promise<Prompt[]> {
  const prompts: Prompt[] = [];
  for await (const { line, value } of readEntries(path)) {
    const source = { file: path, line };
    if (!isJsonObject(value)) refuseRecord(source, "wanted an object with a prompt");
    prompts.push(readTextOrMessages(value, "prompt", source));
  }
  return prompts;
}

/**
 * The token ids with which a model is asked a prompt; BOS is in front once, if the tokenizer adds one.
 *
 * @throws {Error} if messages are given and the model has no chat template.
 */
export function encodePrompt(prompt: Prompt, tokenizer: Tokenizer): Int32Array {
  if (typeof prompt === "string") {
    return encodeExchange({ form: "text", prompt, completions: [] }, { tokenizer, addEos: false }).prompt;
  }
  const { chatTemplate } = tokenizer;
  if (chatTemplate === null) {
    throw new Error(
      "the prompt holds messages but the model has no chat template; give one with data.template",
    );
  }
  return encodePrompt(chatTemplate(prompt, { addGenerationPrompt: true }), tokenizer);
}
