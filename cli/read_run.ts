/** What a run left in its directory, for comparisons. */
import { parse } from "@std/yaml";
import type { ComparedRun, Measurement } from "../evaluation/compare/types.ts";
import type { MetricRow } from "../evaluation/report/types.ts";
import { outputDirectory, readMetrics } from "../training/output.ts";
import { UserError } from "./errors.ts";

/**
 * Reads a run's configuration, metrics, and `evaluation.json` where there is one.
 *
 * @throws {UserError} if the directory is not one of a run
 */
export async function readRun(path: string): Promise<ComparedRun> {
  const files = outputDirectory(path.replace(/(.)\/+$/, "$1"));
  const configText = await readOptional(files.config);
  if (configText === null) {
    throw new UserError(
      `${path}: not the directory of a run, which has a config.yaml; name an output.directory`,
    );
  }
  let config: unknown;
  try {
    config = parse(configText);
  } catch (cause) {
    throw new UserError(`${files.config}: not valid YAML, so this is no run that can be compared`, { cause });
  }
  const metrics = await readMetrics(files.metrics) as unknown as MetricRow[];
  const evaluation = await readEvaluation(`${files.path}/evaluation.json`);
  return { name: files.path, config, metrics, ...(evaluation && { evaluation }) };
}

/** The measures that `evaluate` wrote, which are estimates by name; what else it wrote is passed over. */
async function readEvaluation(path: string): Promise<Record<string, Measurement> | null> {
  const text = await readOptional(path);
  if (text === null) return null;
  try {
    const { measures } = JSON.parse(text) as { measures: Record<string, Estimate> };
    return Object.fromEntries(
      Object.entries(measures).map(([name, { mean, interval: [low, high] }]) => [name, { mean, low, high }]),
    );
  } catch (cause) {
    throw new UserError(`${path}: not what evaluate writes; evaluate the run again, or remove the file`, {
      cause,
    });
  }
}

interface Estimate {
  mean: number;
  interval: [low: number, high: number];
}

async function readOptional(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) return null;
    throw new UserError(`${path}: cannot be read: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}
