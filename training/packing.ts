/** How a model's batches are packed: what some families read beside what all read. */
import type { PackOptions } from "../data/pack.ts";
import type { ModelConfig } from "../models/config.ts";
import type { BatchInputOptions } from "../models/log_probs.ts";

/** For `packGroups`, and for `batchInputs` of the graph that takes the batch. */
export interface Packing {
  /** What the host packs. */
  readonly pack: Pick<PackOptions, "window" | "listPositions">;
  /** What the graph declares. */
  readonly inputs: BatchInputOptions;
}

/**
 * What a model reads of a batch.
 *
 * @param options.maxLength The longest sequence; a window at least as long changes nothing.
 */
export function packingOf(
  { slidingWindow, windowedFrom, layers, positions }: ModelConfig,
  { maxLength }: { maxLength: number },
): Packing {
  const windowed = slidingWindow !== null && slidingWindow < maxLength && windowedFrom < layers;
  const learnedPositions = positions === "learned";
  return {
    pack: { ...(windowed ? { window: slidingWindow } : {}), listPositions: learnedPositions },
    inputs: { windowed, learnedPositions },
  };
}
