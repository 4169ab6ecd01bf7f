/**
 * Which files of a repository a model consists of.
 *
 * @module
 */
import { HubError } from "./errors.ts";
import { list } from "./repository.ts";

const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";

const SMALL_FILES =
  /^(config|generation_config|special_tokens_map|added_tokens|tokenizer\w*)\.json$|^chat_template\.(jinja|json)$/;
const PICKLE = /\.(bin|pth?|ckpt|pkl)$/;

/**
 * Chooses the files that a model is read from: its configuration, tokenizer, chat template and safetensors.
 *
 * Weights in other formats are never chosen. Where weights are there once in one file and once in several, the one is.
 *
 * @param paths the files that there are
 * @param options.read reads one of them, which is chosen then
 * @param options.name the repository, for messages
 * @throws {HubError} `unusable` if it has no configuration or no weights as safetensors
 */
export async function chooseModelFiles(
  paths: readonly string[],
  { read, name }: { read: (path: string) => Promise<string>; name: string },
): Promise<string[]> {
  if (!paths.includes("config.json")) {
    const inside = paths.find((path) => path.endsWith("/config.json"));
    throw new HubError(
      "unusable",
      `it holds no config.json${inside ? ` but ${inside}` : ""}; is it a model in Hugging Face layout?`,
    );
  }
  const small = paths.filter((path) => SMALL_FILES.test(path));
  if (paths.includes(SINGLE_FILE)) return [...small, SINGLE_FILE];
  if (!paths.includes(INDEX_FILE)) throw new HubError("unusable", whyNoWeights(paths, name));
  const shards = shardsOf(await read(INDEX_FILE));
  const missing = shards.filter((path) => !paths.includes(path));
  if (missing.length > 0) {
    throw new HubError("unusable", `${INDEX_FILE} names files that are not there: ${list(missing)}`);
  }
  return [...small, INDEX_FILE, ...shards];
}

function whyNoWeights(paths: readonly string[], name: string): string {
  const pickle = paths.find((path) => PICKLE.test(path));
  if (pickle !== undefined) {
    return `the weights are there only as a pickle (${pickle}), which can run code when it is read; take a safetensors ` +
      "conversion: https://huggingface.co/spaces/safetensors/convert offers one as a pull request, whose files are " +
      `${name}@refs/pr/N`;
  }
  const others = paths.filter((path) => /\.(gguf|onnx|safetensors|h5|msgpack)$/.test(path));
  return `it holds neither ${SINGLE_FILE} nor ${INDEX_FILE}` +
    (others.length > 0 ? `, only ${list(others)}; look for the same model as safetensors` : "");
}

function shardsOf(text: string): string[] {
  let map: unknown;
  try {
    map = JSON.parse(text)?.weight_map;
  } catch {
    map = undefined;
  }
  const names = typeof map === "object" && map !== null ? Object.values(map) : [];
  if (names.length > 0 && names.every((name) => typeof name === "string")) return [...new Set(names)];
  throw new HubError("unusable", `${INDEX_FILE} names no files; its weight_map is missing or malformed`);
}
