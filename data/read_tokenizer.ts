import { loadTokenizer, type Tokenizer, type TokenizerFiles } from "./tokenizer.ts";

/**
 * Reads the tokenizer of a model directory: `tokenizer.json`, `tokenizer_config.json` and, where there is
 * one, `chat_template.jinja`.
 *
 * @param directory a directory in Hugging Face layout
 * @param options a chat template that wins over the model's own, and variables for it
 * @throws {Error} if one of the two JSON files is missing or malformed
 */
export async function readTokenizer(
  directory: string,
  options: Omit<TokenizerFiles, "tokenizerJson" | "tokenizerConfig"> = {},
): Promise<Tokenizer> {
  // One after the other, so that of two missing files the same one is always named.
  const tokenizerJson = await readJson(`${directory}/tokenizer.json`);
  const tokenizerConfig = await readJson(`${directory}/tokenizer_config.json`);
  const templateFile = await readTextIfPresent(`${directory}/chat_template.jinja`);
  return loadTokenizer({
    ...options,
    tokenizerJson,
    tokenizerConfig,
    chatTemplate: options.chatTemplate ?? templateFile,
  });
}

async function readJson(path: string): Promise<unknown> {
  const text = await readTextIfPresent(path);
  if (text === null) {
    throw new Error(`Cannot read ${path}: no such file; wanted a model in Hugging Face layout`);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path}: malformed JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

async function readTextIfPresent(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
