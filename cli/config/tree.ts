/**
 * Walking a command's schema: which sections and keys there are, and which of them a given value has.
 *
 * @module
 */
import * as v from "valibot";
import type { KeyInfo } from "./keys.ts";

/** A key of a configuration, for messages, flags and help. */
export interface KeyEntry extends KeyInfo {
  /** Its dotted name, such as `training.steps`. */
  path: string;
  /** The sentence that documents it. */
  doc: string;
  /** Whether it has to be given. */
  required: boolean;
  /** Its default, where it has one of its own. */
  value: unknown;
  /** The types of its section that have it, such as `type: dpo, ipo`, where not all do. */
  only?: string;
}

/** A section as one value fills it: its keys, and those that only other types of the section have. */
export interface Section {
  entries: v.ObjectEntries;
  /** The key that tells the section's types apart, and its value here. */
  type?: { key: string; name: string };
  /** Keys that this type lacks, with the types that have them. */
  foreign: Map<string, string[]>;
}

// The parts of valibot's schemas that the walk looks at.
type AnySchema = v.GenericSchema & {
  entries?: v.ObjectEntries;
  options?: { entries: v.ObjectEntries }[];
  key?: string;
  item?: v.GenericSchema;
  wrapped?: v.GenericSchema;
  default?: unknown;
  getter?: (input: unknown) => v.GenericSchema;
};

/** The schema of a list's items, where the schema takes `value` for a list. */
export function listItem(schema: v.GenericSchema, value: unknown): v.GenericSchema | undefined {
  return resolve(schema, value).item;
}

/** The section that a schema takes `value` for, or undefined for a single key, a list, or a section that is left out. */
export function sectionOf(schema: v.GenericSchema, value: unknown): Section | undefined {
  const optional = optionalSection(schema);
  if (optional) return value === undefined || value === null ? undefined : sectionOf(optional, value);
  const { entries, options, key } = resolve(schema, value);
  if (entries) return { entries, foreign: new Map() };
  if (!options || !key) return undefined;
  const types = options.map(({ entries }) => ({ entries, name: typeName(entries, key) }));
  const given = isMapping(value) ? value[key] : undefined;
  const type = types.find(({ name, entries }) =>
    name === given || (given === undefined && isOptional(entries[key]))
  );
  // With a type that does not exist, which is reported by itself, every type's keys are let through.
  if (!type) {
    return { entries: Object.assign({}, ...types.map(({ entries }) => entries)), foreign: new Map() };
  }
  const foreign = new Map<string, string[]>();
  for (const { entries, name } of types) {
    for (const entry of Object.keys(entries)) {
      if (!(entry in type.entries)) foreign.set(entry, [...foreign.get(entry) ?? [], name]);
    }
  }
  return { entries: type.entries, type: { key, name: type.name }, foreign };
}

/** Every key of a schema in order; one that several types of a section have appears once for each form it has there. */
export function keyEntries(schema: v.GenericSchema, path = ""): KeyEntry[] {
  const optional = optionalSection(schema);
  if (optional) return keyEntries(optional, path).map((entry) => ({ ...entry, only: `with ${path}` }));
  const { entries, options, key, getter } = schema as AnySchema;
  if (getter) return listableEntries(getter, path);
  if (entries) {
    return Object.entries(entries).flatMap(([name, entry]) => keyEntries(asSchema(entry), join(path, name)));
  }
  if (options && key) return variantEntries(options, key, path);
  return [keyEntry(schema as AnySchema, path)];
}

// The keys of a section that may stand alone or in a list, with those that only a list's entries have.
function listableEntries(getter: (input: unknown) => v.GenericSchema, path: string): KeyEntry[] {
  const alone = keyEntries(getter({}), path);
  const { item } = getter([]) as AnySchema;
  const listed = item ? keyEntries(item, path) : [];
  const more = listed.filter((entry) => !alone.some(({ path }) => path === entry.path));
  return [...alone, ...more.map((entry) => ({ ...entry, only: "in a list" }))];
}

function variantEntries(options: { entries: v.ObjectEntries }[], key: string, path: string): KeyEntry[] {
  const merged = new Map<string, { entry: KeyEntry; types: string[] }[]>();
  for (const { entries } of options) {
    for (const [name, schema] of Object.entries(entries)) {
      const entry = keyEntry(asSchema(schema), join(path, name));
      const forms = merged.get(name) ?? [];
      const known = forms.find((form) => name === key || isSameForm(form.entry, entry));
      if (known) known.types.push(typeName(entries, key));
      else forms.push({ entry, types: [typeName(entries, key)] });
      merged.set(name, forms);
    }
  }
  return [...merged].flatMap(([name, forms]) =>
    forms.map(({ entry, types }) => {
      if (name === key) return { ...entry, wants: types.join(", ") };
      return types.length === options.length ? entry : { ...entry, only: `${key}: ${types.join(", ")}` };
    })
  );
}

/** What is in a section that may be left out, and then is not there at all. */
function optionalSection(schema: v.GenericSchema): v.GenericSchema | undefined {
  const { wrapped } = schema as AnySchema;
  return (wrapped as AnySchema | undefined)?.entries ? wrapped : undefined;
}

function isSameForm(a: KeyEntry, b: KeyEntry): boolean {
  return a.doc === b.doc && a.wants === b.wants && a.required === b.required && a.value === b.value;
}

function keyEntry(schema: AnySchema, path: string): KeyEntry {
  const inner = schema.wrapped ?? schema;
  const info = v.getMetadata(inner) as unknown as KeyInfo;
  const doc = v.getDescription(inner) ?? "";
  return { ...info, path, doc, required: schema.wrapped === undefined, value: schema.default };
}

function resolve(schema: v.GenericSchema, value: unknown): AnySchema {
  const { getter } = schema as AnySchema;
  return (getter ? getter(value) : schema) as AnySchema;
}

/** The name of one of a section's types: its key `key` is a choice of one word, and that word is what it wants. */
export function typeName(entries: v.ObjectEntries, key: string): string {
  return keyEntry(asSchema(entries[key]), key).wants;
}

function isOptional(entry: v.ObjectEntries[string] | undefined): boolean {
  return entry?.type === "optional";
}

function asSchema(entry: v.ObjectEntries[string] | undefined): AnySchema {
  return entry as unknown as AnySchema;
}

/** Joins two parts of a dotted name, of which the first may be empty. */
export function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}.${name}`;
}

/** Copies lists and mappings at any depth, also where one is used twice through a YAML anchor. */
export function copyTree(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyTree);
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copyTree(item)]));
}

/** The dotted name of a list's entry (`loss.0.beta`) without the entry's number. */
export function withoutIndices(path: string): string {
  return path.replace(/\.\d+(?=\.)/g, "");
}

/** Tells a mapping from lists, dates and single values. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
