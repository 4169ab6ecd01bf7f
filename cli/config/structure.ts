/**
 * The shape of a configuration, before its values: sections that are mappings, and keys that exist.
 *
 * @module
 */
import type * as v from "valibot";
import { didYouMean } from "../nearest.ts";
import type { CommandKeys } from "./commands.ts";
import { type Problem, show } from "./problems.ts";
import { isMapping, join, keyEntries, listItem, type Section, sectionOf, withoutIndices } from "./tree.ts";

/** What is known of a command's names: its keys and sections, and the keys that belong elsewhere. */
export interface Names {
  /** Every dotted key. */
  keys: readonly string[];
  /** Every section. */
  sections: readonly string[];
  /** Keys that one may expect to find here, and what to do instead. */
  elsewhere: Readonly<Record<string, string>>;
}

/** Lists the names of a command. */
export function namesOf({ schema, elsewhere }: CommandKeys): Names {
  const keys = keyEntries(schema).map(({ path }) => path);
  const sections = new Set(
    keys.map((key) => key.split(".")).flatMap((names) =>
      names.slice(0, -1).map((_, depth) => names.slice(0, depth + 1).join("."))
    ),
  );
  return { keys, sections: [...sections], elsewhere };
}

/**
 * Says why a name is not one of the command's, with what was probably meant; undefined for a key or section of it.
 * An item's number (`loss.0.beta`) is passed over. `prefix` is how a suggestion is written, such as `--`.
 */
export function nameProblem(name: string, names: Names, prefix = ""): string | undefined {
  const plain = withoutIndices(name);
  const known = [...names.sections, ...names.keys];
  if (known.includes(plain)) return undefined;
  for (const [elsewhere, hint] of Object.entries(names.elsewhere)) {
    if (plain === elsewhere || plain.startsWith(`${elsewhere}.`)) return `no key of this command; ${hint}`;
  }
  return `unknown key${didYouMean(plain, known, prefix)}`;
}

/**
 * Checks the shape of `value` against a command's schema.
 *
 * Returns the value with absent and empty sections as empty mappings, so that what is missing is then reported key
 * by key, and the problems found.
 */
export function checkStructure(value: unknown, keys: CommandKeys): { value: unknown; problems: Problem[] } {
  const names = namesOf(keys);
  const problems: Problem[] = [];

  function visit(schema: v.GenericSchema, value: unknown, path: string): unknown {
    const item = listItem(schema, value);
    if (item && Array.isArray(value)) {
      return value.map((entry, index) => visit(item, entry, join(path, String(index))));
    }
    const section = sectionOf(schema, value);
    if (!section) return value;
    // All of a section's keys may be commented out, which leaves null.
    if (value === undefined || value === null) return visitEntries(section, {}, path);
    if (isMapping(value)) return visitEntries(section, value, path);
    const wanted = path === ""
      ? `sections: ${names.sections.filter((name) => !name.includes(".")).join(", ")}`
      : "keys below it";
    problems.push({ path, message: `${show(value)} stands where a mapping is wanted, with ${wanted}` });
    return value;
  }

  /** What is wrong with an entry that has no place; with each of its own where those are known to belong elsewhere. */
  function unknownKeys(path: string, value: unknown): Problem[] {
    const isSection = Object.keys(names.elsewhere).some((key) => key.startsWith(`${withoutIndices(path)}.`));
    const paths = isSection && isMapping(value) ? Object.keys(value).map((name) => join(path, name)) : [path];
    return paths.map((path) => ({
      path,
      message: nameProblem(path, names) ?? "has no place here; only the entries of a list have it",
    }));
  }

  function visitEntries(
    section: Section,
    value: Record<string, unknown>,
    path: string,
  ): Record<string, unknown> {
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(section.entries, name)) {
        const ignored = ignoredKey(section, path, name);
        problems.push(...ignored ? [ignored] : unknownKeys(join(path, name), value[name]));
      }
    }
    const filled = { ...value };
    for (const [name, entry] of Object.entries(section.entries)) {
      const visited = visit(entry as v.GenericSchema, value[name], join(path, name));
      if (visited !== undefined) filled[name] = visited;
    }
    return filled;
  }

  return { value: visit(keys.schema, value, ""), problems };
}

function ignoredKey({ type, foreign }: Section, path: string, name: string): Problem | undefined {
  const owners = foreign.get(name);
  if (!type || !owners) return undefined;
  const message = `would be ignored by ${type.key}: ${type.name}; it belongs to ${owners.join(", ")}`;
  const hint = `--${path} '{ ${type.key}: ${type.name} }' replaces the whole section`;
  return { path: join(path, name), message, flagHint: { changed: join(path, type.key), hint } };
}
