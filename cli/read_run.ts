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

async function readEvaluation(path: string): Promise<Record<string, Measurement> | null> {
  const text = await readOptional(path);
  if (text === null) return null;
  try {
    return Object.fromEntries(measurementsIn(JSON.parse(text)));
  } catch (cause) {
    throw new UserError(`${path}: not valid JSON; evaluate the run again, or remove the file`, { cause });
  }
}

/** Every `{ mean, interval: [low, high] }` in a value, by dotted name; other values are passed over. */
function measurementsIn(value: unknown, prefix = ""): [string, Measurement][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const { mean, interval } = value as { mean?: unknown; interval?: unknown };
  if (typeof mean === "number") {
    const [low, high] = Array.isArray(interval) ? interval : [];
    return [[prefix, { mean, low, high }]];
  }
  return Object.entries(value).flatMap(([key, inner]) =>
    measurementsIn(inner, prefix === "" ? key : `${prefix}.${key}`)
  );
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
