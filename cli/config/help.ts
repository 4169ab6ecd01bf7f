/**
 * The help text of a command's keys, from the same definitions that check them.
 *
 * @module
 */
import { type Command, COMMANDS } from "./commands.ts";
import { show } from "./problems.ts";
import { keyEntries, type KeyEntry } from "./tree.ts";

/** Lists every key of a command as a flag, with what it takes, its default and its documentation. */
export function configHelp(command: Command): string {
  const entries = keyEntries(COMMANDS[command].schema);
  const sections = Map.groupBy(
    entries,
    ({ path }) => path.includes(".") ? path.slice(0, path.indexOf(".")) : "",
  );
  return [...sections].map(([section, entries]) => {
    const lines = entries.map(describeKey).join("\n");
    return section === "" ? lines : `${section}:\n${lines}`;
  }).join("\n\n");
}

function describeKey(entry: KeyEntry): string {
  const { path, doc, only } = entry;
  return `  --${path}  (${describeValue(entry)})\n      ${only === undefined ? "" : `[${only}] `}${doc}`;
}

function describeValue({ wants, required, value, defaultNote }: KeyEntry): string {
  if (required) return `${wants}; required`;
  return `${wants}; default ${defaultNote ?? (typeof value === "string" ? value : show(value))}`;
}
