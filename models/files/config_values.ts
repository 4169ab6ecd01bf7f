/**
 * Values of a parsed `config.json`, checked one key at a time.
 *
 * @module
 */

/** A parsed `config.json`. */
export type Config = Readonly<Record<string, unknown>>;

/** What a key is read with: its value when it isn't there, and the file's name for error messages. */
export interface ReadOptions<T> {
  /** The value when the key is not there; none makes the key a required one. */
  fallback?: T;
  /** What error messages call the file. */
  name: string;
}

/** The positive integer at `key`. */
export function positiveInteger(config: Config, key: string, options: ReadOptions<number>): number {
  return read(config, key, { ...options, is: isPositiveInteger, wanted: "a positive integer" });
}

/** The positive finite number at `key`. */
export function positiveNumber(config: Config, key: string, options: ReadOptions<number>): number {
  return read(config, key, { ...options, is: isPositiveNumber, wanted: "a positive number" });
}

/** The boolean at `key`. */
export function trueOrFalse(config: Config, key: string, options: ReadOptions<boolean>): boolean {
  return read(config, key, { ...options, is: isBoolean, wanted: "true or false" });
}

/** The same config where `key: null` is as good as no such key. */
export function optional(config: Config, key: string): Config {
  const { [key]: value, ...others } = config;
  return value === null || value === undefined ? others : config;
}

/** The error that says which value `key` has and which kind of value was wanted. */
export function fail(
  config: Config,
  key: string,
  { wanted, name }: { wanted: string; name: string },
): Error {
  const given = key in config ? `is ${JSON.stringify(config[key])}` : "is missing";
  return new Error(`${name}: ${key} ${given}; give ${wanted}`);
}

function read<T>(
  config: Config,
  key: string,
  { fallback, name, is, wanted }: ReadOptions<T> & { is: (value: unknown) => value is T; wanted: string },
): T {
  const value = config[key] === undefined ? fallback : config[key];
  if (!is(value)) throw fail(config, key, { wanted, name });
  return value;
}

function isPositiveNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

function isPositiveInteger(value: unknown): value is number {
  return isPositiveNumber(value) && Number.isSafeInteger(value);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}
