import {
  isGiven,
  type JsonObject,
  readIds,
  type RecordSource,
  refuseRecord,
  requireCompletion,
} from "./fields.ts";
import { isSameMessage, readTextOrMessages, readVariables, requireAssistant } from "./messages.ts";
import { isTranscriptPair, splitSharedPrompt } from "./prompt_prefix.ts";
import type { Message, PairedRecord, PairedRecordOf, TemplateVariables } from "./records.ts";

/** Keys under which data sets keep what the completions answer, where that isn't `prompt`. */
const PROMPT_LIKE = ["question", "query", "input", "problem", "user", "context"];

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

  const messagePair = (pair: Pair<readonly Message[]>) =>
    pairOfMessages({ ...pair, ...readVariables(object, source) }, source);

  if (typeof chosen === "string" && typeof rejected === "string") {
    if (prompt === undefined) {
      if (!isTranscriptPair(chosen, rejected)) refuseOtherPrompt(object, source);
      return textPair(splitSharedPrompt(chosen, rejected, source), source);
    }
    if (typeof prompt === "string") return textPair({ prompt, chosen, rejected }, source);
    return messagePair({ prompt, chosen: assistant(chosen), rejected: assistant(rejected) });
  }
  if (typeof chosen === "string" || typeof rejected === "string") {
    return refuseRecord(
      source,
      `"chosen" and "rejected" differ in form; wanted two strings or two message lists`,
    );
  }
  if (prompt === undefined) return messagePair(splitSharedMessages(chosen, rejected));
  if (typeof prompt !== "string") return messagePair(withoutRepeatedPrompt({ prompt, chosen, rejected }));
  return messagePair(withTextPrompt({ prompt, chosen, rejected }, source));
}

/** A prompt under another name would be ignored, and the completions taken for answers to nothing. */
function refuseOtherPrompt(object: JsonObject, source: RecordSource): void {
  const other = PROMPT_LIKE.find((key) => isGiven(object, key));
  if (other === undefined) return;
  refuseRecord(
    source,
    `the record has "${other}" but no "prompt"; rename that key, or map the columns in a dataset_info.json ` +
      `(data.dataset_info)`,
  );
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

function pairOfMessages(
  { prompt, chosen, rejected, ...variables }: Pair<readonly Message[]> & { variables?: TemplateVariables },
  source: RecordSource,
): PairedRecordOf<"messages"> {
  requireAssistant(chosen, "chosen", source);
  requireAssistant(rejected, "rejected", source);
  return { kind: "paired", form: "messages", line: source.line, prompt, chosen, rejected, ...variables };
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

/** Some data sets repeat the prompt's messages at the start of both lists. */
function withoutRepeatedPrompt(pair: Pair<Message[]>): Pair<Message[]> {
  const { prompt, chosen, rejected } = pair;
  const repeats = (messages: Message[]) =>
    messages.length > prompt.length && prompt.every((message, i) => isSameMessage(message, messages[i]!));
  if (prompt.length === 0 || !repeats(chosen) || !repeats(rejected)) return pair;
  return { prompt, chosen: chosen.slice(prompt.length), rejected: rejected.slice(prompt.length) };
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
