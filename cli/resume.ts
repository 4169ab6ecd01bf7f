/** Which configuration a resumed run has. */
import { parse } from "@std/yaml";
import type { RecordedNames } from "../training/sources.ts";
import type { Override } from "./config.ts";
import { UserError } from "./errors.ts";

/**
 * With `--resume` and no file, the configuration that the run itself wrote into its output directory.
 *
 * @throws {UserError} if no directory is named, or no run is in it
 */
export function resumedConfigFile(
  file: string | null,
  { overrides, switches }: { overrides: readonly Override[]; switches: { resume: boolean } },
): string | null {
  if (file !== null || !switches.resume) return file;
  const directory = overrides.find(({ key }) => key === "output.directory")?.value;
  if (typeof directory !== "string") {
    throw new UserError(
      "--resume: name the run to continue, with --output.directory or its configuration file",
    );
  }
  const config = `${directory}/config.yaml`;
  if (isFile(config)) return config;
  throw new UserError(`${directory}: there is no run to resume here; leave out --resume to start one`);
}

/** What a run recorded of the models and records that it names, with the commits of those on the hub. */
export async function recordedNames(directory: string): Promise<RecordedNames> {
  const config = parse(await Deno.readTextFile(`${directory}/config.yaml`)) as {
    model?: { path?: unknown };
    reference?: { path?: unknown };
    data?: { train?: unknown; eval?: unknown };
  } | null;
  const texts = (...values: unknown[]) =>
    values.flat().map((value) => (value as { path?: unknown } | null)?.path ?? value)
      .filter((value) => typeof value === "string");
  return {
    models: texts(config?.model?.path, config?.reference?.path),
    data: texts(config?.data?.train, config?.data?.eval),
  };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
