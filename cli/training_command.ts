/** What the commands that train have in common: flags, configuration, run, result. */
import { carryOut, printResult } from "./carry_out.ts";
import { configHelp, loadConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";
import { resumedConfigFile } from "./resume.ts";

const SWITCHES_HELP = `
  --dry-run    print what the run would do, with its memory and one record, and stop
  --resume     continue the run in output.directory from its last checkpoint
  --overwrite  replace the run in output.directory
  --profile    print where the time of one step goes, and write trace.json for chrome://tracing or ui.perfetto.dev
`;

/**
 * Runs `train` or `sft` with its arguments.
 *
 * @param options.help What `--help` says before the keys.
 */
export async function runTrainingCommand(
  args: readonly string[],
  { command, help }: { command: "train" | "sft"; help: string },
): Promise<void> {
  const { file, overrides, switches } = parseFlags(args, {
    command,
    switches: ["dry-run", "resume", "overwrite", "profile"],
  });
  if (switches.help) {
    console.log(`${help}${SWITCHES_HELP}\n${configHelp(command)}`);
    return;
  }
  const config = await loadConfig(command, {
    file: resumedConfigFile(file, { overrides, switches }),
    overrides,
  });
  const { "dry-run": dryRun, resume, overwrite, profile } = switches;
  const result = await carryOut(config, { dryRun, resume, overwrite, profile });
  if (result !== null) printResult(result);
}
