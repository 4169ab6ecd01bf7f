/** The fastest kernels of an adapter, kept in the user's cache. */
import type { Device } from "../kernels/device.ts";
import type { MatmulTuning } from "../kernels/matmul_choice.ts";
import { tiles } from "../kernels/matmul_tiled.ts";
import type { MatmulVariant } from "../kernels/matmul_variants.ts";
import { writeFileAtomic } from "../models/files/write_file.ts";
import { UserError } from "./errors.ts";

/** Raised when the kernels behind a variant's name change. */
const VERSION = 1;

/**
 * Where an adapter's choices are kept: in `$XDG_CACHE_HOME/tr-align`, or where the system keeps caches; null where the
 * environment names no such place.
 */
export function tuningFile(adapter: string): string | null {
  const home = Deno.env.get("HOME");
  const cache = Deno.env.get("XDG_CACHE_HOME") ||
    (Deno.build.os === "windows"
      ? Deno.env.get("LOCALAPPDATA")
      : home && `${home}/${Deno.build.os === "darwin" ? "Library/Caches" : ".cache"}`);
  if (!cache) return null;
  const name = adapter.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  return `${cache}/tr-align/kernels-${name}.json`;
}

/** Fills in `device.tuning` from the adapter's file, if there is one; a file that can't be used is named and left out. */
export async function loadTuning(
  device: Device,
  { file = tuningFile(device.description), print = console.error }: {
    file?: string | null;
    print?: (line: string) => void;
  } = {},
): Promise<void> {
  if (file === null) return;
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) print(ignored(file, "can't be read"));
    return;
  }
  const { choices, problem } = parseTuning(text, device.description);
  if (problem !== undefined) print(ignored(file, problem));
  for (const [key, variant] of choices) device.tuning.set(key, variant);
}

const ignored = (file: string, problem: string) =>
  `warning: ${file} ${problem} and is ignored; \`deno task tune\` writes it anew`;

function parseTuning(text: string, adapter: string): { choices: MatmulTuning; problem?: string } {
  const none: MatmulTuning = new Map();
  let content: Record<string, unknown>;
  try {
    content = JSON.parse(text);
  } catch {
    return { choices: none, problem: "is damaged" };
  }
  if (content?.version !== VERSION || content.adapter !== adapter || content.deno !== Deno.version.deno) {
    return { choices: none, problem: "is of another adapter or version" };
  }
  const choices = Object.entries(content.matmul ?? {});
  if (!choices.every(([, variant]) => isVariant(variant))) return { choices: none, problem: "is damaged" };
  return { choices: new Map(choices as [string, MatmulVariant][]) };
}

function isVariant(value: unknown): value is MatmulVariant {
  if (typeof value !== "object" || value === null) return false;
  const { tile, splits, rows, vectors } = value as Record<string, unknown>;
  const isCount = (count: unknown, least: number) => Number.isInteger(count) && count as number >= least;
  if (tile !== undefined) {
    return typeof tile === "string" && Object.hasOwn(tiles, tile) && rows === undefined &&
      (splits === undefined || isCount(splits, 2));
  }
  return isCount(rows, 1) && (vectors === undefined || isCount(vectors, 1));
}

/**
 * Writes a device's choices to the adapter's file.
 *
 * @returns Its path.
 * @throws {UserError} Where the environment names no cache.
 */
export async function saveTuning(
  device: Device,
  { file = tuningFile(device.description) }: { file?: string | null } = {},
): Promise<string> {
  if (file === null) {
    throw new UserError("There is no place for the choices: set XDG_CACHE_HOME to a directory");
  }
  await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
  const content = {
    version: VERSION,
    adapter: device.description,
    deno: Deno.version.deno,
    matmul: Object.fromEntries(device.tuning),
  };
  await writeFileAtomic(file, JSON.stringify(content, null, 2) + "\n");
  return file;
}
