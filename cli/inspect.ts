/**
 * `deno task inspect [run.yaml] [--key value …] [--json]`: what a run's records are like.
 *
 * @module
 */
import { mixtureCounts } from "../data/mixture.ts";
import { summarizeRecords } from "../data/statistics.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { listOf } from "../training/examples.ts";
import { loadTokenizerOf } from "../training/load.ts";
import { type LoadedRecords, loadRunRecords } from "../training/load_records.ts";
import { configHelp, type InspectConfig, loadConfig } from "./config.ts";
import { runCommand } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { describeFile, fileObject, type InspectedFile } from "./inspect_report.ts";

const HELP = `deno task inspect [run.yaml] [--key value …] [--json]

Shows the records of a run as the model would see them: what is dropped and why, lengths, special tokens, duplicates,
labels, and a few records in full. It takes the file and the keys of train and sft; only model.path, of which nothing but
the tokenizer is read, data and training.seed matter, and --show, the number of records to show.

  --json  write one JSON object
`;

/** Runs the command. */
export async function inspect(args: readonly string[]): Promise<void> {
  const { file, overrides, switches } = parseFlags(args, { command: "inspect", switches: ["json"] });
  if (switches.help) {
    console.log(`${HELP}\n${configHelp("inspect")}`);
    return;
  }
  const config = await loadConfig("inspect", { file, overrides });
  const { data, training, loss } = config;
  const tokenizer = await loadTokenizerOf(config.model.path, { template: data.template });
  // Every record is looked at, so that all that is wrong is found at once.
  const { records, heldOut } = await loadRunRecords({ ...data, invalid: "skip" }, {
    wanted: "any",
    tokenizer,
    seed: training.seed,
  });
  const kto = loss.find((term) => term.type === "kto");
  const options = { tokenizer, stops: data.invalid === "error", weights: kto ?? null };
  const sets: [string, LoadedRecords][] = [["train", records]];
  // A share that is held out lies in the same files.
  if (heldOut !== null && typeof data.eval !== "number") sets.push(["eval", heldOut]);
  const inspected = sets.map(([name, loaded]) => ({
    name,
    loaded,
    files: inspectFiles(loaded, config, tokenizer),
  }));

  if (switches.json) {
    const object = Object.fromEntries(
      inspected.map(({ name, files }) => [name, files.map((file) => fileObject(file, options))]),
    );
    console.log(JSON.stringify({ ...object, ...heldOutCount(config, heldOut) }, null, 2));
    return;
  }
  const color = Deno.stdout.isTerminal() && !Deno.noColor;
  for (const { name, loaded, files } of inspected) {
    for (const note of loaded.notes) console.error(`warning: ${note}`);
    for (const file of files) console.log(`${name} ${describeFile(file, { ...options, color })}`);
    for (const line of describeMixture(loaded)) console.log(line);
  }
  const { held_out: count } = heldOutCount(config, heldOut);
  if (count !== undefined) console.log(`held out of these: ${count} records`);
}

function heldOutCount({ data }: InspectConfig, heldOut: LoadedRecords | null): { held_out?: number } {
  return typeof data.eval === "number" ? { held_out: heldOut!.examples.length } : {};
}

function inspectFiles(
  { every, files }: LoadedRecords,
  { show }: InspectConfig,
  tokenizer: Tokenizer,
): InspectedFile[] {
  let start = 0;
  return files.map((file) => {
    const first = start;
    start += file.count;
    const records = listOf(file.count, (i) => every.at(first + i));
    const shown = Array.from(
      { length: Math.min(show, file.count) },
      (_, i) => records.at(Math.floor(i * file.count / Math.min(show, file.count)))!,
    );
    return { ...file, statistics: file.count === 0 ? null : summarizeRecords(records, tokenizer), shown };
  });
}

function describeMixture({ mixture }: LoadedRecords): string[] {
  if (mixture === null) return [];
  const drawn = mixtureCounts(mixture);
  return mixture.map(({ count, weight }, i) =>
    `source ${i + 1}: weight ${weight}, ${drawn[i]} of ${count} records in every epoch`
  );
}

if (import.meta.main) await runCommand(() => inspect(Deno.args));
