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

/** Whether a key is there with a value; published data sets write null or an empty string for nothing. */
export function isGiven(object: JsonObject, key: string): boolean {
  return object[key] !== undefined && object[key] !== null && object[key] !== "";
}

/** Reads a string. */
export function readText(object: JsonObject, key: string, source: RecordSource): string {
  const value = object[key];
  if (typeof value === "string") return value;
  return refuseRecord(source, `"${key}" is ${describeValue(value)}; wanted a string`);
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
