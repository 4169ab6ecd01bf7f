/** What a run takes on the device, known before anything is allocated, and which activations it can't keep. */
import { createStorage, type Device } from "../kernels/device.ts";
import type { ParameterSet } from "../kernels/parameters.ts";
import { planningDevice } from "../kernels/planning_device.ts";
import { planPrograms } from "../kernels/program.ts";
import { externalTensor } from "../kernels/tensor.ts";
import type { Checkpointing } from "../models/transformer.ts";
import type { EngineOptions } from "./engine_options.ts";
import { buildGraphs, type GraphParts } from "./graphs.ts";
import { packingOf } from "./packing.ts";
import { createSets } from "./sets.ts";

/** Device memory of a run, in bytes, known before it starts. */
export interface EngineMemory {
  /** Each parameter set. */
  readonly sets: Readonly<Record<string, number>>;
  /** Activations, shared by all programs. */
  readonly temporaries: number;
  /** Inputs, outputs and uniforms. */
  readonly transfers: number;
  /** All of it. */
  readonly total: number;
  /** Which activations the backward pass computes again. */
  readonly checkpointing: Checkpointing;
  /** What activations would take, either way. */
  readonly choices: Readonly<Record<Checkpointing, number>>;
}

/** Allocates what the programs of an engine share. */
export async function createParts(
  device: Device,
  options: EngineOptions,
): Promise<Omit<GraphParts, "checkpointing">> {
  const sets = await createSets(device, options);
  const mismatchedSums = externalTensor(createStorage(device, { size: 16, label: "mismatched sums" }), {
    shape: [4],
  });
  return { options, sets, mismatchedSums, packing: packingOf(options.config, options) };
}

/**
 * Plans a run's memory without allocating any, and whether to keep activations or compute them again: as the options
 * say, or else so that the run fits its memory limit.
 *
 * @throws If it doesn't fit; the message says what it takes either way.
 */
export async function planEngine(device: Device, options: EngineOptions): Promise<EngineMemory> {
  const { checkpointing: wanted = "auto", memoryLimit = Infinity } = options;
  const planner = planningDevice(device);
  const parts = await createParts(planner, options);
  const sets = Object.fromEntries(
    Object.entries(parts.sets).flatMap(([name, set]: [string, ParameterSet | null]) =>
      set === null ? [] : [[name, set.bytes]]
    ),
  );
  const reserved = Object.values(sets).reduce((sum, bytes) => sum + bytes, 0);
  const plan = (checkpointing: Checkpointing) =>
    planPrograms([...buildGraphs(planner, { ...parts, checkpointing }).values()]);
  const plans = { none: plan("none"), block: plan("block") };
  const totals = { none: reserved + plans.none.total, block: reserved + plans.block.total };
  const checkpointing = wanted !== "auto" ? wanted : totals.none > memoryLimit ? "block" : "none";
  const { temporaries, transfers } = plans[checkpointing];
  const total = totals[checkpointing];
  if (total > memoryLimit) {
    const advice = totals.block <= memoryLimit
      ? "Set training.checkpointing to auto or block."
      : reserved > memoryLimit
      ? `Weights and optimizer alone take more: use ${
        options.lora ? "" : "adapters (model.lora) or "
      }a smaller model.`
      : "Use a smaller batch_size or max_length.";
    throw new RangeError(
      `This run needs ${totals.none} bytes on the device (${reserved} for weights and optimizer, ${plans.none.total} for ` +
        `activations and transfers), or ${totals.block} with training.checkpointing: block, more than the limit of ` +
        `${memoryLimit} bytes. ${advice}`,
    );
  }
  return {
    sets,
    temporaries,
    transfers,
    total,
    checkpointing,
    choices: { none: plans.none.temporaries, block: plans.block.temporaries },
  };
}
