import { encodeExchange } from "./encode_exchange.ts";
import {
  isGiven,
  isJsonObject,
  type JsonObject,
  readText,
  type RecordSource,
  refuseRecord,
} from "./fields.ts";
import { readTextOrMessages } from "./messages.ts";
import { readEntries } from "./read.ts";
import type { Message } from "./records.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What a model is asked: text to continue, or a conversation to answer. */
export type Prompt = string | readonly Message[];

/** A prompt, and the object of the file that it comes from. */
export interface PromptEntry {
  /** What the model is asked. */
  readonly prompt: Prompt;
  /** All that the file says of it. */
  readonly entry: JsonObject;
}

/**
 * Reads prompts from a file: objects with a `prompt`, which is text or a list of messages; or the questions of AlpacaEval
 * (`instruction`, and perhaps `input`) and Arena-Hard (`turns`, of which there is one), which are the user's messages.
 *
 * @param path JSON lines or a JSON array, plain or gzipped, or parquet.
 * @throws {Error} `prompts.jsonl:17: …` for an entry without a prompt, or if the file can't be read or is
 * empty.
 */
export async function readPrompts(path: string): Promise<PromptEntry[]> {
  const prompts: PromptEntry[] = [];
  for await (const { line, value } of readEntries(path)) {
    const source = { file: path, line };
    if (!isJsonObject(value)) refuseRecord(source, "wanted an object with a prompt");
    prompts.push({ prompt: promptOf(value, source), entry: value });
  }
  return prompts;
}

function promptOf(value: JsonObject, source: RecordSource): Prompt {
  if (isGiven(value, "prompt")) return readTextOrMessages(value, "prompt", source);
  if (isGiven(value, "instruction")) {
    const { input } = value;
    const more = isGiven(value, "input") && input !== "" ? `\n\n${readText(value, "input", source)}` : "";
    return [{ role: "user", content: readText(value, "instruction", source) + more }];
  }
  if (isGiven(value, "turns")) {
    const [turn, ...others] = Array.isArray(value.turns) ? value.turns : [];
    if (!isJsonObject(turn) || others.length > 0) {
      return refuseRecord(source, '"turns" holds more or less than one question; wanted one {content}');
    }
    return [{ role: "user", content: readText(turn, "content", source) }];
  }
  return readTextOrMessages(value, "prompt", source);
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
