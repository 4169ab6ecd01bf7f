import type { Message } from "./records.ts";

/** Where a record comes from, for error messages. */
export interface RecordSource {
  /** The file's name as the user gave it. */
  file: string;
  /** The record's line in the file (or its place in a JSON array), from 1. */
  line: number;
}

/** A record that cannot be used; the message starts with the file and line. */
export class RecordError extends Error {
  /** Always `RecordError`. */
  override name = "RecordError";
}

/** A JSON object of unknown content. */
export type JsonObject = { readonly [key: string]: unknown };

/** Throws a {@linkcode RecordError} that begins with `file:line`. */
export function refuseRecord(source: RecordSource, problem: string): never {
  throw new RecordError(`${source.file}:${source.line}: ${problem}`);
}

/** Whether `value` is a JSON object, as opposed to an array, a scalar or null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A short name of what `value` is, for error messages. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "string") return value === "" ? "an empty string" : "a string";
  if (typeof value === "object") return "an object";
  return `${value}`;
}

/** Reads a string. */
export function readText(object: JsonObject, key: string, source: RecordSource): string {
  const value = object[key];
  if (typeof value === "string") return value;
  return refuseRecord(source, `"${key}" is ${describeValue(value)}; wanted a string`);
}

/** Reads a list of `{role, content}`, which may be empty. */
export function readMessages(object: JsonObject, key: string, source: RecordSource): Message[] {
  const value = object[key];
  if (!Array.isArray(value)) {
    return refuseRecord(
      source,
      `"${key}" is ${describeValue(value)}; wanted a list of {role, content} messages`,
    );
  }
  return value.map((message: unknown, index) => {
    const at = `"${key}"[${index}]`;
    if (!isJsonObject(message)) {
      return refuseRecord(source, `${at} is ${describeValue(message)}; wanted a message {role, content}`);
    }
    const { role, content } = message;
    if (typeof role !== "string" || role === "") {
      return refuseRecord(source, `${at}.role is ${describeValue(role)}; wanted a role such as "user"`);
    }
    if (typeof content !== "string") {
      return refuseRecord(source, `${at}.content is ${describeValue(content)}; wanted a string`);
    }
    return { role, content };
  });
}

/** Reads a string or a list of messages. */
export function readTextOrMessages(
  object: JsonObject,
  key: string,
  source: RecordSource,
): string | Message[] {
  const value = object[key];
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return readMessages(object, key, source);
  return refuseRecord(
    source,
    `"${key}" is ${describeValue(value)}; wanted a string or a list of {role, content} messages`,
  );
}

/** Reads a list of token ids, which may be empty. */
export function readIds(object: JsonObject, key: string, source: RecordSource): Int32Array {
  const value = object[key];
  if (!Array.isArray(value)) {
    return refuseRecord(source, `"${key}" is ${describeValue(value)}; wanted a list of token ids`);
  }
  value.forEach((id: unknown, index) => {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) > 0x7fffffff) {
      refuseRecord(
        source,
        `"${key}"[${index}] is ${describeValue(id)}; wanted a token id, an integer from 0`,
      );
    }
  });
  return Int32Array.from(value as number[]);
}

/** Requires a completion of at least one character, message or id. */
export function requireCompletion<T extends { readonly length: number }>(
  completion: T,
  key: string,
  source: RecordSource,
): T {
  if (completion.length > 0) return completion;
  return refuseRecord(source, `"${key}" is empty; wanted a completion of at least one token`);
}

/** Requires a completion of assistant messages that say something. */
export function requireAssistant(
  messages: readonly Message[],
  key: string,
  source: RecordSource,
): readonly Message[] {
  requireCompletion(messages, key, source);
  for (const { role, content } of messages) {
    if (role !== "assistant") {
      refuseRecord(
        source,
        `"${key}" holds a message of role "${role}" in its completion; wanted only "assistant", ` +
          `because every token of a completion is trained on`,
      );
    }
    requireCompletion(content, key, source);
  }
  return messages;
}
