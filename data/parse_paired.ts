import {
  type JsonObject,
  readIds,
  readTextOrMessages,
  type RecordSource,
  refuseRecord,
  requireAssistant,
  requireCompletion,
} from "./fields.ts";
import { splitSharedPrompt } from "./prompt_prefix.ts";
import type { Message, PairedRecord, PairedRecordOf } from "./records.ts";

/** Reads a preference pair in any of its forms; see `parseRecord`. */
export function parsePaired(object: JsonObject, source: RecordSource): PairedRecord {
  const record = parseSequences(object, source);
  const { margin } = object;
  // Only a loss with a margin reads it: whatever else a data set keeps under this name is no mistake.
  return typeof margin === "number" && Number.isFinite(margin) ? { ...record, margin } : record;
}

function parseSequences(object: JsonObject, source: RecordSource): PairedRecord {
  if ("chosen_ids" in object || "rejected_ids" in object) return parseIds(object, source);

  const chosen = readTextOrMessages(object, "chosen", source);
  const rejected = readTextOrMessages(object, "rejected", source);
  const hasPrompt = object["prompt"] !== undefined && object["prompt"] !== null;
  const prompt = hasPrompt ? readTextOrMessages(object, "prompt", source) : undefined;

  if (typeof chosen === "string" && typeof rejected === "string") {
    if (prompt === undefined) return textPair(splitSharedPrompt(chosen, rejected, source), source);
    if (typeof prompt === "string") return textPair({ prompt, chosen, rejected }, source);
    return messagePair({ prompt, chosen: assistant(chosen), rejected: assistant(rejected) }, source);
  }
  if (typeof chosen === "string" || typeof rejected === "string") {
    return refuseRecord(
      source,
      `"chosen" and "rejected" differ in form; wanted two strings or two message lists`,
    );
  }
  if (prompt === undefined) return messagePair(splitSharedMessages(chosen, rejected), source);
  if (typeof prompt !== "string") return messagePair({ prompt, chosen, rejected }, source);
  return messagePair(withTextPrompt({ prompt, chosen, rejected }, source), source);
}

function parseIds(object: JsonObject, source: RecordSource): PairedRecord {
  return {
    kind: "paired",
    form: "ids",
    line: source.line,
    prompt: readIds(object, "prompt_ids", source),
    chosen: requireCompletion(readIds(object, "chosen_ids", source), "chosen_ids", source),
    rejected: requireCompletion(readIds(object, "rejected_ids", source), "rejected_ids", source),
  };
}

interface Pair<T, P = T> {
  prompt: P;
  chosen: T;
  rejected: T;
}

function textPair({ prompt, chosen, rejected }: Pair<string>, source: RecordSource): PairedRecordOf<"text"> {
  requireCompletion(chosen, "chosen", source);
  requireCompletion(rejected, "rejected", source);
  return { kind: "paired", form: "text", line: source.line, prompt, chosen, rejected };
}

function messagePair(
  { prompt, chosen, rejected }: Pair<readonly Message[]>,
  source: RecordSource,
): PairedRecordOf<"messages"> {
  requireAssistant(chosen, "chosen", source);
  requireAssistant(rejected, "rejected", source);
  return { kind: "paired", form: "messages", line: source.line, prompt, chosen, rejected };
}

function assistant(content: string): Message[] {
  return [{ role: "assistant", content }];
}

/** Takes the common leading messages for the prompt, leaving at least one message to each side. */
function splitSharedMessages(chosen: Message[], rejected: Message[]): Pair<Message[]> {
  const most = Math.max(Math.min(chosen.length, rejected.length) - 1, 0);
  let common = 0;
  while (common < most && isSameMessage(chosen[common]!, rejected[common]!)) common++;
  return { prompt: chosen.slice(0, common), chosen: chosen.slice(common), rejected: rejected.slice(common) };
}

/** A text prompt beside message lists is the user's turn, which some data sets repeat at both lists' start. */
function withTextPrompt(pair: Pair<Message[], string>, source: RecordSource): Pair<Message[]> {
  const shared = splitSharedMessages(pair.chosen, pair.rejected);
  const user: Message = { role: "user", content: pair.prompt };
  if (shared.prompt.length === 0) return { ...shared, prompt: [user] };
  if (shared.prompt.some((message) => isSameMessage(message, user))) return shared;
  return refuseRecord(
    source,
    `"prompt" is not among the user messages with which "chosen" and "rejected" start`,
  );
}

function isSameMessage(a: Message, b: Message): boolean {
  return a.role === b.role && a.content === b.content;
}
