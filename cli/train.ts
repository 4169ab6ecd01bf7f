/**
 * `deno task train [run.yaml] [--key value …]`: preference training. Without arguments, the quick start.
 *
 * @module
 */
import { runCommand } from "./errors.ts";
import { quickStart } from "./quick_start.ts";
import { runTrainingCommand } from "./training_command.ts";

const HELP = `deno task train [run.yaml] [--key value …] [--dry-run] [--resume] [--overwrite] [--profile]

Aligns a model with preference records. Without arguments: a quick start that needs no files.
`;

/** Runs the command. */
export async function train(args: readonly string[]): Promise<void> {
  if (args.length === 0) await quickStart();
  else await runTrainingCommand(args, { command: "train", help: HELP });
}

if (import.meta.main) await runCommand(() => train(Deno.args));
