/**
 * `deno task train [run.yaml] [--key value …]`: preference training. Without arguments, the quick start.
 *
 * @module
 */
import { carryOut, printResult } from "./carry_out.ts";
import { configHelp, loadConfig } from "./config.ts";
import { runCommand } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { quickStart } from "./quick_start.ts";
import { resumedConfigFile } from "./resume.ts";

const HELP = `deno task train [run.yaml] [--key value …] [--dry-run] [--resume] [--overwrite]

Aligns a model with preference records. Without arguments: a quick start that needs no files.

  --dry-run    print what the run would do, with its memory and one record, and stop
  --resume     continue the run in output.directory from its last checkpoint
  --overwrite  replace the run in output.directory
`;

/** Runs the command. */
export async function train(args: readonly string[]): Promise<number | void> {
  if (args.length === 0) return await quickStart();
  const { file, overrides, switches } = parseFlags(args, {
    command: "train",
    switches: ["dry-run", "resume", "overwrite"],
  });
  if (switches.help) {
    console.log(`${HELP}\n${configHelp("train")}`);
    return;
  }
  const config = await loadConfig("train", {
    file: resumedConfigFile(file, { overrides, switches }),
    overrides,
  });
  const result = await carryOut(config, {
    dryRun: switches["dry-run"],
    resume: switches.resume,
    overwrite: switches.overwrite,
  });
  if (result !== null) printResult(result);
}

if (import.meta.main) await runCommand(() => train(Deno.args));
