/**
 * `deno task sft [run.yaml] [--key value …]`: supervised fine-tuning on completions.
 *
 * @module
 */
import { runCommand } from "./errors.ts";
import { runTrainingCommand } from "./training_command.ts";

const HELP = `deno task sft [run.yaml] [--key value …] [--dry-run] [--resume] [--overwrite] [--profile]

Fine-tunes a model on demonstrations: cross-entropy of the completion's tokens, averaged over all tokens of a step.
`;

/** Runs the command. */
export async function sft(args: readonly string[]): Promise<void> {
  await runTrainingCommand(args, { command: "sft", help: HELP });
}

if (import.meta.main) await runCommand(() => sft(Deno.args));
