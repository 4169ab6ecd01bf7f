/**
 * Between the snake_case keys of files and flags and the camelCase keys of TypeScript.
 *
 * @module
 */

type Camel<S> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;

/** `T` with every key, at any depth, in camelCase. */
export type CamelKeys<T> = T extends readonly unknown[] ? { [I in keyof T]: CamelKeys<T[I]> }
  : T extends object ? { [K in keyof T as Camel<K>]: CamelKeys<T[K]> }
  : T;

/** Renames every key of a value, at any depth, from snake_case to camelCase; other values stay. */
export function toCamelKeys<T>(value: T): CamelKeys<T> {
  const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return renameKeys(value, camel) as CamelKeys<T>;
}

/** Renames every key of a value, at any depth, from camelCase to snake_case; other values stay. */
export function toSnakeKeys(value: unknown): unknown {
  return renameKeys(value, (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

function renameKeys(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renameKeys(item, rename));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [rename(name), renameKeys(item, rename)]),
  );
}
