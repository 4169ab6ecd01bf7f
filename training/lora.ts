/**
 * Adapters of a run: their layout, where they start, and how many snapshots the reference needs. This module does file
 * I/O and uses `Deno.*`.
 */
import type { Device } from "../kernels/device.ts";
import {
  createParameters,
  layoutParameters,
  maximumSegmentBytes,
  type ParameterSet,
} from "../kernels/parameters.ts";
import { openAdapterDirectory } from "../models/files/adapter_directory.ts";
import type { ModelDirectory } from "../models/files/directory.ts";
import type { ModelParameter } from "../models/parameters.ts";
import { applyAdapters } from "../models/lora/apply.ts";
import { type AdapterLayout, adaptersOf, layoutAdapters } from "../models/lora/layout.ts";
import { ALL_LINEAR, type LoraSettings } from "../models/lora/settings.ts";
import { initialAdapter, uploadAdapter } from "../models/lora/values.ts";
import { uploadDirectory } from "../models/weights.ts";
import { addSnapshot, emptySnapshots, snapshotsNeeded } from "../reference/snapshots.ts";
import type { LoraRunSettings } from "./config.ts";
import type { LoraOptions } from "./engine_options.ts";

const DEFAULT_RANK = 16;
/** α over the rank. */
const DEFAULT_SCALE = 2;

/** The adapters that settings ask for, and what of the reference will be lost in this run. */
export interface LoraPlan {
  /** For the engine. */
  readonly options: LoraOptions;
  /** The share of the reference that stands for snapshots given up, at the end of the run; see `SnapshotStack.lost`. */
  readonly lost: number;
}

/**
 * Lays out a run's adapters.
 *
 * @param options.parameters The model's.
 * @param options.alphas α of each update of the reference, in order.
 * @throws If the settings or the adapter's directory don't fit the model, or there are too few snapshots.
 */
export async function planLora(
  settings: LoraRunSettings,
  { parameters, alphas }: { parameters: readonly ModelParameter[]; alphas: readonly number[] },
): Promise<LoraPlan> {
  const { path, base } = settings;
  const layout = path === null
    ? layoutAdapters(parameters, loraSettings(settings))
    : await layoutOfDirectory(path, parameters);
  const continued = path !== null;
  // An adapter that exists already is the first snapshot.
  const moves = continued ? [1, ...alphas] : alphas;
  const snapshots = settings.snapshots ?? snapshotsNeeded(moves);
  if (snapshots === 1 && moves.some((alpha) => alpha < 1) && moves.length > 1) {
    throw new Error(
      "model.lora.snapshots: 1 is too few for a reference that moves softly; take at least 2, or leave it out to keep it exact",
    );
  }
  let stack = emptySnapshots(snapshots);
  for (const alpha of moves) ({ stack } = addSnapshot(stack, { alpha }));
  return { options: { layout, base, snapshots, continued }, lost: stack.lost };
}

/** Fills the policy's adapter: from its directory, or new from a seed. */
export async function loadAdapter(
  device: Device,
  policy: ParameterSet,
  options: {
    path: string | null;
    layout: AdapterLayout;
    parameters: readonly ModelParameter[];
    seed: number;
  },
): Promise<void> {
  const { path, layout, parameters, seed } = options;
  if (path === null) return await uploadAdapter(device, policy, { layout, read: initialAdapter({ seed }) });
  using directory = await openAdapterDirectory(path, { parameters });
  await uploadAdapter(device, policy, { layout, read: ({ name }) => directory.read(name) });
}

/**
 * Uploads a model's weights, with an adapter merged into them if one is given.
 *
 * @param weights The set to fill, in float32.
 * @throws If the adapter's directory doesn't fit the model.
 */
export async function loadMerged(
  device: Device,
  weights: ParameterSet,
  options: { directory: ModelDirectory; adapter: string | null; parameters: readonly ModelParameter[] },
): Promise<void> {
  const { directory, adapter, parameters } = options;
  await uploadDirectory(device, weights, { directory, parameters });
  if (adapter === null) return;
  const layout = await layoutOfDirectory(adapter, parameters);
  const set = await createParameters(device, {
    layout: layoutParameters(layout.specs, { maximumBytes: maximumSegmentBytes(device) }),
    label: "adapter",
  });
  await loadAdapter(device, set, { path: adapter, layout, parameters, seed: 0 });
  await applyAdapters(device, weights, { adapters: adaptersOf(layout, set.tensors), parameters });
  for (const buffer of set.buffers) buffer.destroy();
}

async function layoutOfDirectory(
  path: string,
  parameters: readonly ModelParameter[],
): Promise<AdapterLayout> {
  using directory = await openAdapterDirectory(path, { parameters });
  return directory.layout;
}

function loraSettings(settings: LoraRunSettings): LoraSettings {
  const { rank = DEFAULT_RANK, alpha = DEFAULT_SCALE * rank, targets = ALL_LINEAR } = settings;
  const { exclude, layers, useRslora = false, rankPattern = [], alphaPattern = [] } = settings;
  return {
    rank,
    alpha,
    targets: namesOf(targets),
    rsLora: useRslora,
    rankPattern: Object.fromEntries(rankPattern),
    alphaPattern: Object.fromEntries(alphaPattern),
    ...(exclude === undefined ? {} : { exclude: namesOf(exclude) }),
    ...(layers === undefined ? {} : { layers }),
  };
}

/** A single word is a name, as it is in a list; any other text is a regular expression, as PEFT takes it. */
function namesOf(names: readonly string[] | string): readonly string[] | string {
  return typeof names === "string" && /^\w+$/.test(names) ? [names] : names;
}
