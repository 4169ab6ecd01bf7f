import { loadTokenizer, type Tokenizer } from "@tr/align/data";
import {
  initialTensors,
  type ModelConfig,
  type ModelParameter,
  modelParameters,
  parseModelConfig,
  writeModelDirectory,
} from "@tr/align/models";
import { smallModelConfig, type TokenizerFiles, wordTokenizer, wordVocabulary } from "../quick_start/mod.ts";
import { everyText } from "./language.ts";

/** The model of the experiment without its weights. */
export interface Speaker {
  /** Its `config.json`. */
  readonly json: Record<string, unknown>;
  /** The same, read. */
  readonly config: ModelConfig;
  /** Its tokenizer: one token a word. */
  readonly tokenizer: Tokenizer;
  /** The files of that. */
  readonly tokenizerFiles: TokenizerFiles;
  /** Its parameters. */
  readonly parameters: readonly ModelParameter[];
}

/** Tokens that a reply may have, its end included: the longest reply of the language has 43. */
export const MAX_REPLY_TOKENS = 48;

/** Standard deviation of the untrained matrices, see `smallModelConfig`. */
const DEVIATION = 0.125;

/** The model that speaks the language of the experiment. */
export function createSpeaker(): Speaker {
  const texts = everyText();
  const json = smallModelConfig(wordVocabulary(texts));
  const config = parseModelConfig(json, { name: "config.json" });
  const tokenizerFiles = wordTokenizer(texts);
  return {
    json,
    config,
    tokenizer: loadTokenizer(tokenizerFiles),
    tokenizerFiles,
    parameters: modelParameters(config),
  };
}

/** Writes the untrained model as a directory. */
export async function writeUntrained(
  { json, config, tokenizerFiles }: Speaker,
  { path, seed }: { path: string; seed: number },
): Promise<void> {
  const tensors = initialTensors(config, { seed, deviation: DEVIATION });
  await writeModelDirectory(path, { config: json, tensors, dtype: "F32", replace: true });
  await Deno.writeTextFile(`${path}/tokenizer.json`, JSON.stringify(tokenizerFiles.tokenizerJson));
  await Deno.writeTextFile(
    `${path}/tokenizer_config.json`,
    JSON.stringify(tokenizerFiles.tokenizerConfig, null, 2),
  );
}
