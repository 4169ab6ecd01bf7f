import { assert, assertEquals } from "@std/assert";
import { loadConfig, parseConfig } from "../../cli/config.ts";
import { COMMANDS } from "../../cli/config/commands.ts";
import { keyEntries } from "../../cli/config/tree.ts";

const path = new URL("../../examples/evaluate.yaml", import.meta.url).pathname;

/** The file with the sections that are commented out put back. */
async function uncommented(): Promise<string> {
  const text = await Deno.readTextFile(path);
  return text.replace(/^# (?=(reference|gold|reward_model|judge):$)/gm, "").replace(/^#(?= {3}\S)/gm, " ")
    .replace(/^ {4}(?=\S)/gm, "  ")
    .replace(/^ {2}export const.*$/gm, "");
}

Deno.test("examples/evaluate.yaml is a configuration, as it stands and with all that is commented out", async () => {
  const config = await loadConfig("evaluate", { file: path, overrides: [] });
  assertEquals([config.model.path, config.beta, config.judge], ["runs/hh", 0.05, undefined]);
  const whole = parseConfig("evaluate", { yaml: await uncommented() });
  assertEquals(whole.judge!.requestsPerMinute, 60);
  assertEquals(whole.gold!.export, "score");
  assertEquals(whole.rewardModel!.tie, 0);
});

Deno.test("examples/evaluate.yaml has every key, and explains it", async () => {
  const text = await uncommented();
  const lines = text.split("\n");
  const keys = new Set<string>();
  let section = "";
  lines.forEach((line, i) => {
    const name = /^( {2})?(\w+):/.exec(line);
    if (name === null) return;
    const [, indent, key] = name;
    if (indent === undefined) section = key!;
    keys.add(indent === undefined ? key! : `${section}.${key}`);
    if (indent === undefined && line.trimEnd().endsWith(":")) return;
    // A comment stands before the key, or before the group of keys that it belongs to.
    const before = lines.slice(0, i).findLastIndex((other) => /^\w+:$|^ *#/.test(other));
    assert(/^ *#/.test(lines[before]!), `line ${i + 1} has no comment: ${line}`);
  });
  for (const { path } of keyEntries(COMMANDS.evaluate.schema)) assert(keys.has(path), `${path} is missing`);
});
