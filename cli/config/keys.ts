/**
 * The kinds of value that a configuration key can hold, and {@linkcode key}, which makes a valibot schema of
 * one that knows its own documentation.
 *
 * @module
 */
import * as v from "valibot";

/**
 * How a value is written on the command line: as it stands, as a list of such, as it stands unless it is a
 * mapping, alone for true, or as YAML.
 */
export type Form = "text" | "texts" | "source" | "switch" | "yaml";

/** A kind of value: how to recognize it and how to say what was wanted. */
export interface Kind<T> {
  /** How a flag spells it. */
  form: Form;
  /** What an error message asks for, such as `a number above 0`. */
  wants: string;
  /** Whether null is one of its values. */
  nullable?: boolean;
  /** Brings other spellings of the same value into one form, such as `"1e-6"` to the number. */
  normalize?: (value: unknown) => unknown;
  /** Tells a value of this kind, after `normalize`, from anything else. */
  is: (value: unknown) => value is T;
}

/** What a key's schema carries beside its check. */
export interface KeyInfo {
  /** How a flag spells the value. */
  form: Form;
  /** What an error message asks for. */
  wants: string;
  /** Whether null is allowed. */
  nullable: boolean;
  /** The default in words, where it depends on other keys. */
  defaultNote?: string;
}

/** Limits of a number; `above` and `below` exclude their limit, `min` and `max` include it. */
export interface Bounds {
  /** What the number exceeds. */
  above?: number;
  /** The least number. */
  min?: number;
  /** What the number stays below. */
  below?: number;
  /** The greatest number. */
  max?: number;
}

type KeySchema<T> = v.GenericSchema<unknown, T>;

/** Makes a required key out of its documentation sentence and kind; with a default it may be left out. */
export function key<T>(doc: string, kind: Kind<T>): KeySchema<T>;
export function key<T>(doc: string, kind: Kind<T>, value: NoInfer<T>): v.OptionalSchema<KeySchema<T>, T>;
export function key<T>(doc: string, kind: Kind<T>, ...value: [] | [T]): v.GenericSchema {
  const schema = keySchema(doc, kind, {});
  return value.length === 0 ? schema : v.optional(schema, value[0] as T);
}

/**
 * Makes a key that may be left out and then has no value; `defaultNote` says what that means, or from which
 * keys the default is worked out.
 */
export function derivedKey<T>(
  doc: string,
  kind: Kind<T>,
  defaultNote: string,
): v.OptionalSchema<KeySchema<T>, undefined> {
  return v.optional(keySchema(doc, kind, { defaultNote }));
}

function keySchema<T>(doc: string, kind: Kind<T>, extra: Partial<KeyInfo>): KeySchema<T> {
  const info: KeyInfo = { form: kind.form, wants: kind.wants, nullable: kind.nullable ?? false, ...extra };
  return v.pipe(
    v.unknown(),
    v.transform((value) => kind.normalize?.(value) ?? value),
    v.custom<T>(kind.is, (issue) => `is not ${kind.wants}${quoteHint(kind.form, issue.input)}`),
    v.description(doc),
    v.metadata({ ...info }),
  );
}

// YAML reads `directory: 2024` as a number and `directory: 2024-01-01` as a date.
function quoteHint(form: Form, value: unknown): string {
  const looksLikeText = typeof value === "number" || typeof value === "boolean" || value instanceof Date;
  return (form === "text" || form === "texts") && looksLikeText ? "; put it in quotes" : "";
}

/** A finite number within bounds. */
export function number(bounds: Bounds = {}): Kind<number> {
  return numeric("a number", bounds, Number.isFinite);
}

/** A whole number within bounds. */
export function wholeNumber(bounds: Bounds = {}): Kind<number> {
  return numeric("a whole number", bounds, Number.isSafeInteger);
}

function numeric(noun: string, bounds: Bounds, accepts: (value: unknown) => boolean): Kind<number> {
  return {
    form: "yaml",
    wants: [noun, describeBounds(bounds)].filter(Boolean).join(" "),
    normalize: textToNumber,
    is: (value): value is number => accepts(value) && isWithin(value as number, bounds),
  };
}

// Some writers of YAML quote 1e-6, and YAML 1.1 takes it for text.
function textToNumber(value: unknown): unknown {
  const isNumeral = typeof value === "string" && /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value);
  return isNumeral ? Number(value) : value;
}

function describeBounds({ above, min, below, max }: Bounds): string {
  return [
    above === undefined ? "" : `above ${above}`,
    min === undefined ? "" : `of at least ${min}`,
    below === undefined ? "" : `below ${below}`,
    max === undefined ? "" : `at most ${max}`,
  ].filter(Boolean).join(" and ");
}

function isWithin(value: number, { above, min, below, max }: Bounds): boolean {
  return value > (above ?? -Infinity) && value >= (min ?? -Infinity) && value < (below ?? Infinity) &&
    value <= (max ?? Infinity);
}

/** Two numbers within bounds. */
export function pair(bounds: Bounds): Kind<[number, number]> {
  const one = number(bounds);
  return {
    form: "yaml",
    wants: `a list of two numbers ${describeBounds(bounds)}, such as [0.9, 0.999]`,
    normalize: (value) => Array.isArray(value) ? value.map(textToNumber) : value,
    is: (value): value is [number, number] =>
      Array.isArray(value) && value.length === 2 && value.every(one.is),
  };
}

/** `true` or `false`. */
export function switchedOn(): Kind<boolean> {
  return { form: "switch", wants: "true or false", is: (value) => typeof value === "boolean" };
}

/** Text that is not empty; `noun` says what it names. */
export function text(noun: string): Kind<string> {
  return { form: "text", wants: noun, is: isText };
}

/** Numbers by name, read as a list of pairs. */
export function numbersByName(): Kind<[string, number][]> {
  return {
    form: "yaml",
    wants: "a number for each name, such as { q_proj: 8 }",
    normalize: (value) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.entries(value).map(([name, number]) => [name, textToNumber(number)])
        : value,
    is: (value): value is [string, number][] =>
      Array.isArray(value) &&
      value.every((pair) => Array.isArray(pair) && isText(pair[0]) && Number.isFinite(pair[1])),
  };
}

/** Whole numbers; always read as a list. */
export function wholeNumbers(bounds: Bounds): Kind<number[]> {
  const one = wholeNumber(bounds);
  return {
    form: "yaml",
    wants: `${one.wants}, or a list of such`,
    normalize: (value) => Array.isArray(value) ? value.map(textToNumber) : [textToNumber(value)],
    is: (value): value is number[] => Array.isArray(value) && value.length > 0 && value.every(one.is),
  };
}

/** Names, or one text that stands for several. */
export function names(noun: string): Kind<string | string[]> {
  return {
    form: "texts",
    wants: noun,
    is: (value): value is string | string[] =>
      isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  };
}

/** A source of records: a path, or a mapping. */
export type Source = string | { path: string; split?: string; weight?: number };

/** One source of records or several, always read as a list; `weights` says whether they may have weights. */
export function sources({ weights }: { weights: boolean }): Kind<Source[]> {
  const keys = weights ? "path, split, weight" : "path, split";
  return {
    form: "texts",
    wants: `a path, a mapping { ${keys} }, or a list of these`,
    normalize: (value) => Array.isArray(value) || value === undefined || value === null ? value : [value],
    is: (value): value is Source[] =>
      Array.isArray(value) && value.length > 0 && value.every((item) => isSource(item, weights)),
  };
}

/** A source of held-out records, or the share of the training records to hold out. */
export function heldOut(): Kind<Source | number> {
  return {
    form: "source",
    wants: "a path, a mapping { path, split }, or a share above 0 and below 1",
    normalize: textToNumber,
    is: (value): value is Source | number =>
      typeof value === "number" ? value > 0 && value < 1 : isSource(value, false),
  };
}

function isSource(value: unknown, mayHaveWeight: boolean): value is Source {
  if (isText(value)) return true;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { path, split, weight, ...others } = value as Record<string, unknown>;
  const isWeight = weight === undefined ||
    (mayHaveWeight && Number.isFinite(weight) && (weight as number) > 0);
  return isText(path) && (split === undefined || isText(split)) && isWeight &&
    Object.keys(others).length === 0;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** One of the given words. */
export function choice<const W extends string>(words: readonly W[]): Kind<W> {
  const wants = words.length === 1
    ? String(words[0])
    : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
  return { form: "text", wants, is: (value): value is W => (words as readonly unknown[]).includes(value) };
}

/** Null beside the values of another kind. */
export function orNull<T>(kind: Kind<T>): Kind<T | null> {
  return {
    form: kind.form,
    wants: `${kind.wants}, or null`,
    nullable: true,
    normalize: (value) => value === null ? null : kind.normalize?.(value) ?? value,
    is: (value): value is T | null => value === null || kind.is(value),
  };
}
