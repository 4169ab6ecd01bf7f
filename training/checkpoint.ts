/**
 * Checkpoints: everything of a run that moves, in one directory that is either whole or not there. This module does
 * file I/O and uses `Deno.*`.
 *
 * A checkpoint has the layout of a model directory: `config.json` holds the counters, and the safetensors file every
 * parameter set, its tensors named `policy/…`, `reference/…`, `initial/…`, `average/…`, `first/…` and `second/…`.
 */
import { type ModelDirectory, openModelDirectory } from "../models/files/directory.ts";
import { writeModelDirectory } from "../models/files/write_directory.ts";
import { uploadDirectory, weightTensors } from "../models/weights.ts";
import type { SnapshotStack } from "../reference/snapshots.ts";
import type { Engine } from "./engine.ts";
import type { RunState } from "./loop_options.ts";

/** Sets that a checkpoint keeps; gradients are made anew in every step. */
const KEPT = ["policy", "reference", "initial", "average", "first", "second"] as const;

/** What a checkpoint says besides its tensors. */
export interface CheckpointHeader {
  /** The run's counters. */
  readonly state: RunState;
  /** What must be the same for the run to continue: anything that can be compared as JSON. */
  readonly identity: unknown;
  /** The shares of the snapshots that an adapter's reference consists of. */
  readonly snapshots?: SnapshotStack;
}

/** Options of {@linkcode saveCheckpoint}. */
export interface SaveOptions extends Omit<CheckpointHeader, "snapshots"> {
  /** How many checkpoints to keep, this one included. */
  readonly keep: number;
}

const nameOf = (step: number) => `step-${String(step).padStart(6, "0")}`;
const stepOf = (name: string) => Number(name.slice("step-".length));

/**
 * Writes the state of a run to `directory/step-NNNNNN` and removes the oldest checkpoints.
 *
 * The new one is complete before an old one is removed, so a kill at any moment leaves one that can be used.
 */
export async function saveCheckpoint(engine: Engine, directory: string, options: SaveOptions): Promise<void> {
  const { state, identity, keep } = options;
  const tensors = KEPT.flatMap((set) => {
    const parametersOfSet = engine.sets[set];
    if (parametersOfSet === null) return [];
    return weightTensors(engine.device, parametersOfSet, { parameters: engine.parameters[set] })
      .map((tensor) => ({ ...tensor, name: `${set}/${tensor.name}` }));
  });
  await writeModelDirectory(`${directory}/${nameOf(state.step)}`, {
    config: {
      checkpoint: { state, identity, ...(engine.snapshots ? { snapshots: engine.snapshots } : {}) },
    },
    tensors,
    dtype: "F32",
    replace: true,
  });
  for (const name of (await listCheckpoints(directory)).slice(0, -keep)) {
    await Deno.remove(`${directory}/${name}`, { recursive: true });
  }
}

/** Names of the complete checkpoints of a directory, oldest first. */
export async function listCheckpoints(directory: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(directory));
    return entries.map(({ name }) => name).filter((name) => /^step-\d+$/.test(name))
      .sort((a, b) => stepOf(a) - stepOf(b));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Removes what a killed run left half written in a directory. */
export async function removePartial(directory: string): Promise<void> {
  const entries = await Array.fromAsync(Deno.readDir(directory)).catch(() => []);
  for (const { name } of entries) {
    if (name.includes(".partial-")) await Deno.remove(`${directory}/${name}`, { recursive: true });
  }
}

/**
 * Reads a checkpoint's counters.
 *
 * @throws If the directory is not a checkpoint.
 */
export async function readCheckpointHeader(path: string): Promise<CheckpointHeader> {
  using directory = await openModelDirectory(path);
  const { checkpoint } = directory.config as { checkpoint?: CheckpointHeader };
  if (checkpoint?.state === undefined) throw new Error(`${path}: this is not a checkpoint of a run`);
  return checkpoint;
}

/**
 * Puts an engine into the state of a checkpoint.
 *
 * @throws If a tensor is missing or has another size, and then nothing is loaded; or if the files can't be read.
 */
export async function loadCheckpoint(engine: Engine, path: string): Promise<void> {
  using directory = await openModelDirectory(path);
  checkShapes(directory, engine);
  for (const set of KEPT) {
    const parametersOfSet = engine.sets[set];
    if (parametersOfSet === null) continue;
    const parameters = engine.parameters[set];
    await uploadDirectory(engine.device, parametersOfSet, { directory, parameters, prefix: `${set}/` });
  }
  engine.snapshots = (await readCheckpointHeader(path)).snapshots ?? null;
  engine.device.check();
}

function checkShapes({ path, tensors }: ModelDirectory, { sets, parameters }: Engine): void {
  for (const set of KEPT.filter((set) => sets[set] !== null)) {
    for (const { name, shape } of parameters[set].flatMap(({ parts }) => parts)) {
      const found = tensors.get(`${set}/${name}`)?.shape;
      if (found?.join() === shape.join()) continue;
      throw new Error(
        `${path}: ${set}/${name} is ${found ? `[${found.join(", ")}]` : "missing"} and this run wants ` +
          `[${shape.join(", ")}]; the checkpoint is of another model or kind of run`,
      );
    }
  }
}
