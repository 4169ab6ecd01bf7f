/**
 * Flags laid over a configuration file.
 *
 * @module
 */
import { parse } from "@std/yaml";
import type { CommandKeys } from "./commands.ts";
import { type Problem, show } from "./problems.ts";
import { copyTree, isMapping, keyEntries, type KeyEntry, withoutIndices } from "./tree.ts";

/** A configuration key given as a flag: `--loss.beta 0.05`; the value of a bare flag is true. */
export interface Override {
  /** The dotted key, without dashes. */
  key: string;
  /** The value as it was typed. */
  value: string | true;
}

/**
 * Lays flags over the content of a file, whole sections before single keys.
 *
 * `--loss.0.beta` reaches into a list. Returns the new content and the problems of the flags by themselves.
 */
export function applyOverrides(content: unknown, { overrides, keys }: {
  overrides: readonly Override[];
  keys: CommandKeys;
}): { value: unknown; problems: Problem[] } {
  const entries = new Map(keyEntries(keys.schema).map((entry) => [entry.path, entry]));
  const problems: Problem[] = [];
  const value = copyTree(content ?? {});
  const given = Map.groupBy(overrides, ({ key }) => key);
  for (const [key, values] of [...given].sort(([a], [b]) => depth(a) - depth(b))) {
    const entry = entries.get(withoutIndices(key));
    const read = readValues(values.map(({ value }) => value), entry);
    const message = "problem" in read ? read.problem : assign(value, key.split("."), read.value);
    if (message !== undefined) problems.push({ path: key, message });
  }
  return { value, problems };
}

function depth(key: string): number {
  return key.split(".").length;
}

// An unknown entry is a whole section, written as YAML.
function readValues(
  given: (string | true)[],
  entry: KeyEntry | undefined,
): { value: unknown } | { problem: string } {
  const form = entry?.form ?? "yaml";
  const [first = true] = given;
  if (given.length > 1 && form !== "texts") return { problem: `is given ${given.length} times` };
  if (given.includes(true) && form !== "switch") {
    return { problem: `needs a value${entry ? `, ${entry.wants}` : ""}` };
  }
  if (given.length > 1) return { value: given };
  return { value: first === true ? true : readText(first, form, entry?.nullable ?? false) };
}

// File names and words stay text even where YAML would read a number, a date or a mapping.
function readText(text: string, form: KeyEntry["form"], nullable: boolean): unknown {
  if (nullable && text === "null") return null;
  if (form === "text" || ((form === "texts" || form === "source") && !/^[[{]/.test(text))) return text;
  try {
    return parse(text);
  } catch {
    return text; // which no kind of value accepts, so that it is reported as it was typed
  }
}

/** Sets `value` at `names` inside `root`, which is changed; returns what stands in the way. */
export function assign(root: unknown, names: readonly string[], value: unknown): string | undefined {
  let at: unknown = root;
  for (const [depth, name] of names.entries()) {
    const isLast = depth === names.length - 1;
    if (Array.isArray(at)) {
      const section = names.slice(0, depth).join(".");
      if (!/^\d+$/.test(name)) {
        return `${section} is a list; name the entry, as in --${section}.0.${names.slice(depth).join(".")}`;
      }
      if (Number(name) >= at.length) return `${section} has only ${at.length} entries, counted from 0`;
    } else if (!isMapping(at)) {
      return `${names.slice(0, depth).join(".") || "the file"} is ${show(at)}, which has no keys`;
    }
    const container = at as Record<string, unknown>;
    if (isLast) container[name] = value;
    else at = container[name] ??= {};
  }
  return undefined;
}
