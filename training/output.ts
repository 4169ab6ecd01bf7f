/**
 * A run's output directory. This module does file I/O and uses `Deno.*`.
 */
import { writeFileAtomic } from "../models/files/write_file.ts";
import type { Metrics } from "./metrics.ts";

/** The files of a run. */
export interface OutputDirectory {
  /** The directory. */
  readonly path: string;
  /** Checkpoints. */
  readonly checkpoints: string;
  /** The trained model. */
  readonly model: string;
  /** The trained adapter, in PEFT's layout. */
  readonly adapter: string;
  /** One JSON object a step. */
  readonly metrics: string;
  /** The report. */
  readonly report: string;
  /** The configuration as resolved. */
  readonly config: string;
  /** The trace of a profiled step. */
  readonly trace: string;
}

/** Names the files of a run. */
export function outputDirectory(path: string): OutputDirectory {
  return {
    path,
    checkpoints: `${path}/checkpoints`,
    model: `${path}/model`,
    adapter: `${path}/adapter`,
    metrics: `${path}/metrics.jsonl`,
    report: `${path}/report.html`,
    config: `${path}/config.yaml`,
    trace: `${path}/trace.json`,
  };
}

/** How a run treats what is in its directory: `new` wants nothing there, `overwrite` a former run or nothing. */
export type DirectoryMode = "new" | "resume" | "overwrite";

/**
 * Makes sure that a run would overwrite nothing it may not, and changes nothing itself.
 *
 * @param options.mode `new` wants an empty or absent directory, `resume` one that holds a run, `overwrite` one that holds
 * a run or nothing.
 * @throws If the directory is not as wanted.
 */
export async function checkDirectory(path: string, { mode }: { mode: DirectoryMode }): Promise<void> {
  const names = await listNames(path);
  if (mode === "resume" && !names.includes("config.yaml")) {
    throw new Error(`${path}: there is no run to resume here; leave out --resume to start one`);
  }
  if (mode === "new" && names.length > 0) {
    throw new Error(
      `${path}: the output directory is not empty; choose another, or continue the run in it with --resume, or replace ` +
        "it with --overwrite",
    );
  }
  if (mode === "overwrite" && names.length > 0 && !names.includes("config.yaml")) {
    throw new Error(
      `${path}: --overwrite replaces a former run, but this directory holds something else; choose another`,
    );
  }
}

/**
 * Takes a directory for a run: makes it if need be, removes a former run that is to be replaced, and tries to write.
 *
 * @param options.mode As in {@linkcode checkDirectory}, which is called first.
 * @throws If the directory is not as wanted or can't be written to.
 */
export async function claimDirectory(
  path: string,
  { mode }: { mode: DirectoryMode },
): Promise<OutputDirectory> {
  await checkDirectory(path, { mode });
  const directory = outputDirectory(path);
  if (mode === "overwrite") {
    for (const file of Object.values(directory)) {
      if (file !== path) await Deno.remove(file, { recursive: true }).catch(() => {});
    }
  }
  const probe = `${path}/.writable`;
  try {
    await Deno.mkdir(path, { recursive: true });
    await Deno.writeTextFile(probe, "");
    await Deno.remove(probe);
  } catch (cause) {
    throw new Error(`${path}: cannot write here: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
  return directory;
}

async function listNames(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new Error(
      `${path}: cannot be used as output directory: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** Appends rows to a run's metrics file. */
export interface MetricsFile {
  /** Rows up to now. */
  readonly rows: Metrics[];
  /** Writes one row. */
  append(row: Metrics): void;
  /** Closes the file. */
  close(): void;
}

/**
 * Opens the metrics of a run; rows after `step` are dropped, for a resumed run writes them again.
 */
export async function openMetrics(path: string, { step }: { step: number }): Promise<MetricsFile> {
  const rows = (await readMetrics(path)).filter((row) => row.step! <= step);
  await writeFileAtomic(path, rows.map((row) => JSON.stringify(row) + "\n").join(""));
  const file = await Deno.open(path, { append: true });
  const encoder = new TextEncoder();
  return {
    rows,
    append(row) {
      rows.push(row);
      file.writeSync(encoder.encode(JSON.stringify(row) + "\n"));
    },
    close: () => file.close(),
  };
}

/** The rows of a metrics file; a last line that a killed run left half written is passed over. */
export async function readMetrics(path: string): Promise<Metrics[]> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as Metrics];
    } catch {
      return [];
    }
  });
}
