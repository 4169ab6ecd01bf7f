/**
 * `deno task compare runA runB … [--output FILE]`: runs over each other, on one page.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { compareRuns } from "../evaluation/compare.ts";
import { writeFileAtomic } from "../models/files/write_file.ts";
import { runCommand, UserError } from "./errors.ts";
import { didYouMean } from "./nearest.ts";
import { readRun } from "./read_run.ts";
import { textTable } from "./text_table.ts";

const DEFAULT_OUTPUT = "comparison.html";

const HELP = `deno task compare runA runB … [--output FILE]

Puts runs over each other: their curves in the same figures, quality against KL, what differs in their settings, and the
numbers at their ends, which are printed as well. Runs that differ in training.seed only are drawn as mean and interval.
What \`deno task evaluate --model.path runA --output.file runA/evaluation.json\` measured is drawn and listed too.

  --output FILE  the page to write; ${DEFAULT_OUTPUT} by default, and a file that is there is replaced
`;

/** Runs the command. */
export async function compare(args: readonly string[]): Promise<void> {
  const { paths, output, help } = parseCompareArgs(args);
  if (help) {
    console.log(HELP);
    return;
  }
  if (paths.length === 0) {
    throw new UserError("name the directories of the runs to compare; --help tells more");
  }
  await writeComparison(paths, { output, title: titleOf(paths) });
}

/** Compares the runs in some directories, writes the page and prints the table. */
export async function writeComparison(
  paths: readonly string[],
  { output, title, notes = [] }: { output: string; title: string; notes?: readonly string[] },
): Promise<void> {
  const runs = [];
  for (const path of paths) runs.push(await readRun(path));
  const { table, html } = compareRuns(runs, { title, notes });
  await writeFileAtomic(output, html).catch((cause) => {
    throw new UserError(`${output}: cannot write here: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  });
  const width = Deno.stdout.isTerminal() ? Deno.consoleSize().columns : Infinity;
  console.log(`${textTable(table, { width })}\n\nComparison: ${output}`);
}

function titleOf(paths: readonly string[]): string {
  return paths.length > 3
    ? `${paths.length} runs compared`
    : paths.map((path) => path.replace(/\/+$/, "")).join(", ");
}

function parseCompareArgs(args: readonly string[]): { paths: string[]; output: string; help: boolean } {
  const problems: string[] = [];
  const parsed = parseArgs(args, {
    boolean: ["help"],
    string: ["_", "output"],
    alias: { h: "help" },
    unknown(argument, key) {
      if (key === undefined) return true;
      problems.push(`${argument.split("=", 1)[0]}: unknown flag${didYouMean(key, ["output", "help"], "--")}`);
      return false;
    },
  });
  const { output = DEFAULT_OUTPUT } = parsed;
  if (output === "") problems.push("--output: needs the name of a file");
  const paths = parsed._.map((path) => String(path).replace(/(.)\/+$/, "$1"));
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) problems.push(`${twice}: is named twice; leave one out`);
  if (problems.length > 0 && !parsed.help) throw new UserError(problems.join("\n"));
  return { paths, output, help: parsed.help };
}

if (import.meta.main) await runCommand(() => compare(Deno.args));
