/**
 * The two layouts of LLaMA-Factory, alpaca and sharegpt, turned into records of `{prompt, …}`.
 *
 * @module
 */
import {
  describeValue,
  isGiven,
  isJsonObject,
  type JsonObject,
  readText,
  type RecordSource,
  refuseRecord,
  requireCompletion,
} from "./fields.ts";
import {
  type MessageTags,
  readMessage,
  readMessages,
  readVariables,
  requireAssistant,
  SHAREGPT_TAGS,
} from "./messages.ts";
import { readLabel } from "./parse_completion.ts";
import type { Message, PairedRecord, SftRecord, TemplateVariables, UnpairedRecord } from "./records.ts";

/** Which key of a record holds what; null where there is none. */
export interface LlamaFactoryColumns {
  /** alpaca: the instruction. */
  prompt: string | null;
  /** alpaca: what follows the instruction after a line break. */
  query: string | null;
  /** alpaca: the answer, where there is one. */
  response: string | null;
  /** alpaca: earlier turns, a list of [instruction, answer]. */
  history: string | null;
  /** sharegpt: the conversation. */
  messages: string | null;
  /** The system prompt. */
  system: string | null;
  /** The tools, as JSON text or a list. */
  tools: string | null;
  /** The preferred answer. */
  chosen: string | null;
  /** The dispreferred answer. */
  rejected: string | null;
  /** Whether the answer is desirable. */
  kto_tag: string | null;
}

/** How the records of a file are laid out, as an entry of `dataset_info.json` says it. */
export interface LlamaFactoryLayout {
  /** Which of the two layouts. */
  formatting: "alpaca" | "sharegpt";
  /** Whether records are pairs. */
  ranking: boolean;
  /** Which key holds what. */
  columns: LlamaFactoryColumns;
  /** sharegpt: how messages are written; null takes `{role, content}` and `{from, value}` alike. */
  tags: MessageTags | null;
}

/** The names that LLaMA-Factory's documentation gives the columns. */
const USUAL_COLUMNS: LlamaFactoryColumns = {
  prompt: "instruction",
  query: "input",
  response: "output",
  history: "history",
  messages: "conversations",
  system: "system",
  tools: "tools",
  chosen: "chosen",
  rejected: "rejected",
  kto_tag: "kto_tag",
};

/**
 * Recognizes a record of one of the two layouts by its keys: `instruction` for alpaca, `conversations` for
 * sharegpt, and `messages` where `chosen` is a single message or `kto_tag` is there.
 *
 * @returns null if it is of neither
 */
export function detectLlamaFactory(object: JsonObject): LlamaFactoryLayout | null {
  const isOpenAi = Array.isArray(object["messages"]) &&
    (isJsonObject(object["chosen"]) || "kto_tag" in object);
  const isShareGpt = "conversations" in object || isOpenAi;
  if (!isShareGpt && !("instruction" in object)) return null;
  return {
    formatting: isShareGpt ? "sharegpt" : "alpaca",
    ranking: "chosen" in object || "rejected" in object,
    columns: {
      ...USUAL_COLUMNS,
      messages: "conversations" in object ? "conversations" : "messages",
      kto_tag: "kto_tag" in object ? "kto_tag" : "label",
    },
    tags: isShareGpt && !isOpenAi && hasFrom(object["conversations"]) ? SHAREGPT_TAGS : null,
  };
}

function hasFrom(messages: unknown): boolean {
  return Array.isArray(messages) && isJsonObject(messages[0]) && "from" in messages[0];
}

/**
 * Reads a record of the given layout.
 *
 * Everything becomes messages, which the model's chat template renders. The system prompt comes first, a system
 * message in the conversation wins over the column; `history` are earlier turns, and only the last answer is
 * trained on.
 *
 * @throws {RecordError} as `parseRecord`, with the file's own names of the columns
 */
export function parseLlamaFactory(
  object: JsonObject,
  layout: LlamaFactoryLayout,
  source: RecordSource,
): PairedRecord | UnpairedRecord | SftRecord {
  const { formatting, ranking, columns } = layout;
  const body = formatting === "alpaca" ? readAlpaca : readShareGpt;
  const { prompt, completions } = body(object, layout, source);
  const common = {
    form: "messages" as const,
    line: source.line,
    prompt,
    ...(columns.tools === null ? {} : readVariables(object, source, columns.tools)) as {
      variables?: TemplateVariables;
    },
  };
  const [first, second] = completions as [readonly Message[], (readonly Message[])?];
  if (ranking) return { kind: "paired", ...common, chosen: first, rejected: second! };
  if (columns.kto_tag !== null && isGiven(object, columns.kto_tag)) {
    const label = readLabel(object, columns.kto_tag, source);
    return { kind: "unpaired", ...common, completion: first, label };
  }
  return { kind: "sft", ...common, completion: first };
}

interface Body {
  prompt: Message[];
  completions: (readonly Message[])[];
}

function readAlpaca(
  object: JsonObject,
  { ranking, columns }: LlamaFactoryLayout,
  source: RecordSource,
): Body {
  const { prompt, query, response } = columns;
  const parts = [prompt, query].filter((key) => key !== null)
    .filter((key) => key === prompt || isGiven(object, key))
    .map((key) => readText(object, key, source));
  const answer = (key: string): Message[] => [
    { role: "assistant", content: requireCompletion(readText(object, key, source), key, source) },
  ];
  return {
    prompt: [
      ...readSystem(object, columns, source),
      ...readHistory(object, columns, source),
      { role: "user", content: parts.filter((part) => part !== "").join("\n") },
    ],
    completions: (ranking ? [columns.chosen!, columns.rejected!] : [response!]).map(answer),
  };
}

function readShareGpt(object: JsonObject, layout: LlamaFactoryLayout, source: RecordSource): Body {
  const { columns, ranking } = layout;
  const tags = layout.tags ?? undefined;
  const key = columns.messages!;
  const messages = readMessages(object, key, source, tags);
  const system = messages[0]?.role === "system" ? [] : readSystem(object, columns, source);
  if (!ranking) {
    const completion = requireAssistant(messages.slice(-1), key, source);
    return { prompt: [...system, ...messages.slice(0, -1)], completions: [completion] };
  }
  if (messages.length === 0 || messages.at(-1)!.role === "assistant") {
    refuseRecord(
      source,
      `"${key}" ${
        messages.length === 0 ? "is empty" : "ends with the assistant's turn"
      }; wanted a conversation ` +
        `that "${columns.chosen}" and "${columns.rejected}" answer`,
    );
  }
  const answer = (key: string) => {
    const value = object[key];
    if (typeof value === "string") {
      return [{ role: "assistant", content: requireCompletion(value, key, source) }];
    }
    return requireAssistant([readMessage(value, `"${key}"`, source, tags)], key, source);
  };
  return { prompt: [...system, ...messages], completions: [columns.chosen!, columns.rejected!].map(answer) };
}

function readSystem(object: JsonObject, { system }: LlamaFactoryColumns, source: RecordSource): Message[] {
  if (system === null || !isGiven(object, system)) return [];
  return [{ role: "system", content: readText(object, system, source) }];
}

function readHistory(object: JsonObject, { history }: LlamaFactoryColumns, source: RecordSource): Message[] {
  if (history === null || !isGiven(object, history)) return [];
  const turns = object[history];
  if (!Array.isArray(turns)) {
    return refuseRecord(
      source,
      `"${history}" is ${describeValue(turns)}; wanted a list of [instruction, answer] pairs`,
    );
  }
  return turns.flatMap((turn: unknown, index) => {
    const isPair = Array.isArray(turn) && turn.length === 2 && turn.every((part) => typeof part === "string");
    if (!isPair) {
      refuseRecord(
        source,
        `"${history}"[${index}] is ${describeValue(turn)}; wanted a pair of texts [instruction, answer]`,
      );
    }
    const [content, answer] = turn as [string, string];
    return [{ role: "user", content }, { role: "assistant", content: answer }];
  });
}
