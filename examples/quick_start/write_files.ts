import { type CorpusOptions, generateCorpus } from "./corpus.ts";
import { quickStartModelConfig } from "./model_config.ts";
import { quickStartTokenizer } from "./tokenizer.ts";

/** Where {@linkcode writeQuickStart} put what it wrote. */
export interface QuickStartPaths {
  /** Directory with `config.json`, `tokenizer.json` and `tokenizer_config.json`, but no weights yet. */
  model: string;
  /** Supervised records, one `{prompt, completion}` a line. */
  supervised: string;
  /** Preference pairs, one `{prompt, chosen, rejected}` a line. */
  preferences: string;
  /** Held-out pairs in the same form. */
  heldOut: string;
}

/**
 * Writes the corpus, the tokenizer and the model's configuration of the quick start into a directory, which is created
 * if need be.
 *
 * @param directory Where to write; files of the same names are replaced.
 * @param options What {@linkcode generateCorpus} takes.
 */
export async function writeQuickStart(
  directory: string,
  options: CorpusOptions = {},
): Promise<QuickStartPaths> {
  const paths: QuickStartPaths = {
    model: `${directory}/model`,
    supervised: `${directory}/supervised.jsonl`,
    preferences: `${directory}/preferences.jsonl`,
    heldOut: `${directory}/held_out.jsonl`,
  };
  const corpus = generateCorpus(options);
  const { tokenizerJson, tokenizerConfig } = quickStartTokenizer();
  await Deno.mkdir(paths.model, { recursive: true });
  await Promise.all([
    writeJson(`${paths.model}/config.json`, quickStartModelConfig()),
    writeJson(`${paths.model}/tokenizer.json`, tokenizerJson),
    writeJson(`${paths.model}/tokenizer_config.json`, tokenizerConfig),
    writeJsonLines(paths.supervised, corpus.supervised),
    writeJsonLines(paths.preferences, corpus.preferences),
    writeJsonLines(paths.heldOut, corpus.heldOut),
  ]);
  return paths;
}

function writeJson(path: string, value: unknown): Promise<void> {
  return Deno.writeTextFile(path, JSON.stringify(value, null, 2) + "\n");
}

function writeJsonLines(path: string, records: readonly unknown[]): Promise<void> {
  return Deno.writeTextFile(path, records.map((record) => JSON.stringify(record) + "\n").join(""));
}
