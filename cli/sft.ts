/**
 * `deno task sft [run.yaml] [--key value …]`: supervised fine-tuning on completions.
 *
 * @module
 */
import { carryOut, printResult } from "./carry_out.ts";
import { configHelp, loadConfig } from "./config.ts";
import { runCommand } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { resumedConfigFile } from "./resume.ts";

const HELP = `deno task sft [run.yaml] [--key value …] [--dry-run] [--resume] [--overwrite]

Fine-tunes a model on demonstrations: cross-entropy of the completion's tokens, averaged over all tokens of a step.
`;

/** Runs the command. */
export async function sft(args: readonly string[]): Promise<void> {
  const { file, overrides, switches } = parseFlags(args, {
    command: "sft",
    switches: ["dry-run", "resume", "overwrite"],
  });
  if (switches.help) {
    console.log(`${HELP}\n${configHelp("sft")}`);
    return;
  }
  const config = await loadConfig("sft", {
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

if (import.meta.main) await runCommand(() => sft(Deno.args));
