/** Which configuration a resumed run has. */
import type { Override } from "./config.ts";

/** With `--resume` and no file, the one that the run itself wrote into its output directory. */
export function resumedConfigFile(
  file: string | null,
  { overrides, switches }: { overrides: readonly Override[]; switches: { resume: boolean } },
): string | null {
  if (file !== null || !switches.resume) return file;
  const directory = overrides.find(({ key }) => key === "output.directory")?.value;
  return typeof directory === "string" ? `${directory}/config.yaml` : null;
}
