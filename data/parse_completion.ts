import {
  describeValue,
  type JsonObject,
  readIds,
  readText,
  type RecordSource,
  refuseRecord,
  requireCompletion,
} from "./fields.ts";
import { readMessages, readTextOrMessages, readVariables, requireAssistant } from "./messages.ts";
import type { SequenceForm, SequenceForms, SftRecord, TemplateVariables, UnpairedRecord } from "./records.ts";

/** Reads a completion with its label, or a demonstration when there is no label; see `parseRecord`. */
export function parseCompletion(object: JsonObject, source: RecordSource): UnpairedRecord | SftRecord {
  const { line } = source;
  const body = parseBody(object, source);
  if (!("label" in object)) return { kind: "sft", line, ...body };
  return { kind: "unpaired", line, ...body, label: readLabel(object, "label", source) };
}

interface BodyOf<F extends SequenceForm> {
  form: F;
  prompt: SequenceForms[F];
  completion: SequenceForms[F];
  variables?: TemplateVariables;
}
type Body = BodyOf<"text"> | BodyOf<"messages"> | BodyOf<"ids">;

function parseBody(object: JsonObject, source: RecordSource): Body {
  if ("completion_ids" in object) {
    const prompt = readIds(object, "prompt_ids", source);
    const completion = requireCompletion(readIds(object, "completion_ids", source), "completion_ids", source);
    return { form: "ids", prompt, completion };
  }
  if ("completion" in object) return parsePromptAndCompletion(object, source);
  if ("messages" in object) {
    const messages = readMessages(object, "messages", source);
    const completion = requireAssistant(messages.slice(-1), "messages", source);
    return { form: "messages", prompt: messages.slice(0, -1), completion, ...readVariables(object, source) };
  }
  return {
    form: "text",
    prompt: "",
    completion: requireCompletion(readText(object, "text", source), "text", source),
  };
}

function parsePromptAndCompletion(object: JsonObject, source: RecordSource): Body {
  const prompt = readTextOrMessages(object, "prompt", source);
  const completion = readTextOrMessages(object, "completion", source);
  requireCompletion(completion, "completion", source);
  if (typeof prompt === "string" && typeof completion === "string") {
    return { form: "text", prompt, completion };
  }
  return {
    form: "messages",
    prompt: typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt,
    completion: typeof completion === "string"
      ? [{ role: "assistant", content: completion }]
      : requireAssistant(completion, "completion", source),
    ...readVariables(object, source),
  };
}

/** Reads whether a completion is desirable. */
export function readLabel(object: JsonObject, key: string, source: RecordSource): boolean {
  const label = object[key];
  if (typeof label === "boolean") return label;
  if (label === 0 || label === 1) return label === 1;
  return refuseRecord(source, `"${key}" is ${describeValue(label)}; wanted true or false (or 1 or 0)`);
}
