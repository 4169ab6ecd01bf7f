/**
 * LLaMA-Factory's `dataset_info.json`: which file a data set is, and how its records are laid out.
 *
 * @module
 */
import { describeValue, isJsonObject, type JsonObject } from "./fields.ts";
import type { LlamaFactoryColumns, LlamaFactoryLayout } from "./llama_factory.ts";
import { FUNCTION_CALL, type MessageTags } from "./messages.ts";

/** A data set that `dataset_info.json` describes. */
export interface DatasetInfo {
  /** Its file or directory, relative to that of `dataset_info.json`. */
  fileName: string;
  /** The split to take of a directory; null where none is named. */
  split: string | null;
  /** How its records are laid out. */
  layout: LlamaFactoryLayout;
}

/** The columns that an entry without `columns` has. */
const DEFAULT_COLUMNS = {
  prompt: "instruction",
  query: "input",
  response: "output",
  messages: "conversations",
};

const COLUMN_NAMES: readonly (keyof LlamaFactoryColumns)[] = [
  "prompt",
  "query",
  "response",
  "history",
  "messages",
  "system",
  "tools",
  "chosen",
  "rejected",
  "kto_tag",
];

const DEFAULT_TAGS = {
  role_tag: "from",
  content_tag: "value",
  user_tag: "human",
  assistant_tag: "gpt",
  observation_tag: "observation",
  function_tag: "function_call",
  system_tag: "system",
};

const HUB_KEYS = ["hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"];
const KNOWN_KEYS = [
  ...HUB_KEYS,
  "file_name",
  "file_sha1",
  "formatting",
  "ranking",
  "split",
  "columns",
  "tags",
];

/**
 * Reads one entry of a parsed `dataset_info.json`.
 *
 * Defaults are LLaMA-Factory's: `alpaca`, with the columns `instruction`, `input` and `output`. As there, an
 * entry that has `columns` has no others than those.
 *
 * @param info the parsed file
 * @param options `name`: the entry; `file`: what error messages call the file
 * @throws {Error} `dataset_info.json: "name": …` if there is no such entry, or something in it would be
 * ignored
 *
 * @example
 * ```ts
 * import { parseDatasetInfo } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const info = {
 *   orca: { file_name: "orca.json", ranking: true, columns: { prompt: "question", chosen: "good", rejected: "bad" } },
 * };
 * const { fileName, layout } = parseDatasetInfo(info, { name: "orca", file: "dataset_info.json" });
 * assertEquals([fileName, layout.formatting, layout.columns.prompt], ["orca.json", "alpaca", "question"]);
 * ```
 */
export function parseDatasetInfo(
  info: unknown,
  { name, file }: { name: string; file: string },
): DatasetInfo {
  const refuse = (problem: string): never => {
    throw new Error(`${file}: ${problem}`);
  };
  if (!isJsonObject(info)) {
    return refuse(`it is ${describeValue(info)}; wanted an object of data sets by name`);
  }
  const entry = info[name];
  if (!isJsonObject(entry)) {
    const names = Object.keys(info).map((known) => `"${known}"`).join(", ");
    return refuse(`there is no data set "${name}"; it has ${names || "none"}`);
  }
  const wrong = (problem: string): never => refuse(`"${name}": ${problem}`);
  const unknown = Object.keys(entry).find((key) => !KNOWN_KEYS.includes(key));
  if (unknown !== undefined) wrong(`${unknown} would be ignored; leave it out`);
  if (typeof entry["file_name"] !== "string") {
    const hub = HUB_KEYS.find((key) => entry[key] !== undefined);
    return wrong(
      hub === undefined
        ? `file_name is ${describeValue(entry["file_name"])}; wanted a path relative to this file`
        : `it names ${JSON.stringify(entry[hub])} (${hub}); download that and give its path as file_name`,
    );
  }
  const formatting = entry["formatting"] ?? "alpaca";
  if (formatting !== "alpaca" && formatting !== "sharegpt") {
    return wrong(`formatting is ${JSON.stringify(formatting)}; wanted "alpaca" or "sharegpt"`);
  }
  const ranking = entry["ranking"] ?? false;
  if (typeof ranking !== "boolean") {
    return wrong(`ranking is ${describeValue(ranking)}; wanted true or false`);
  }
  const split = entry["split"] ?? null;
  if (split !== null && typeof split !== "string") {
    return wrong(`split is ${describeValue(split)}; wanted a name`);
  }
  const columns = {
    ...Object.fromEntries(COLUMN_NAMES.map((column) => [column, null])),
    ...entry["columns"] === undefined
      ? DEFAULT_COLUMNS
      : readNames(entry["columns"], { what: "columns", names: COLUMN_NAMES, wrong }),
  } as LlamaFactoryColumns;
  const needed: (keyof LlamaFactoryColumns)[] = [
    formatting === "alpaca" ? "prompt" : "messages",
    ...(ranking ? ["chosen", "rejected"] as const : formatting === "alpaca" ? ["response"] as const : []),
  ];
  const missing = needed.find((column) => columns[column] === null);
  if (missing !== undefined) {
    const kind = `${formatting}${ranking ? " with ranking" : ""}`;
    return wrong(`columns names no "${missing}", which ${kind} needs`);
  }
  const tags = formatting === "sharegpt" ? readTags(entry["tags"], wrong) : null;
  if (formatting === "alpaca" && entry["tags"] !== undefined) wrong("tags would be ignored by alpaca");
  return { fileName: entry["file_name"], split, layout: { formatting, ranking, columns, tags } };
}

function readTags(tags: unknown, wrong: (problem: string) => never): MessageTags {
  const named = tags === undefined
    ? {}
    : readNames(tags, { what: "tags", names: Object.keys(DEFAULT_TAGS), wrong });
  const all: typeof DEFAULT_TAGS = { ...DEFAULT_TAGS, ...named };
  return {
    role: all.role_tag,
    content: all.content_tag,
    roles: {
      [all.user_tag]: "user",
      [all.assistant_tag]: "assistant",
      [all.observation_tag]: "tool",
      [all.function_tag]: FUNCTION_CALL,
      [all.system_tag]: "system",
    },
  };
}

function readNames(
  value: unknown,
  { what, names, wrong }: {
    what: string;
    names: readonly string[];
    wrong: (problem: string) => never;
  },
): { [name: string]: string } {
  if (!isJsonObject(value)) return wrong(`${what} is ${describeValue(value)}; wanted an object of names`);
  const read = value as JsonObject;
  for (const [key, name] of Object.entries(read)) {
    if (!names.includes(key)) wrong(`${what}.${key} would be ignored; wanted ${names.join(", ")}`);
    if (typeof name !== "string") wrong(`${what}.${key} is ${describeValue(name)}; wanted a name`);
  }
  return read as { [name: string]: string };
}
