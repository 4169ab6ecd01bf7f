/** How a model's batches are packed: what some families read beside what all read. */
import type { PackOptions } from "../data/pack.ts";
import type { ModelConfig } from "../models/config.ts";
import type { BatchInputOptions } from "../models/log_probs.ts";

/** For `packGroups`, and for `batchInputs` of the graph that takes the batch. */
export interface Packing {
  /** What the host packs. */
  readonly pack: Pick<PackOptions, "window" | "listPositions"> & { readonly tailWeight?: number };
  /** What the graph declares. */
  readonly inputs: BatchInputOptions;
}

/**
 * What a model reads of a batch.
 *
 * @param options.maxLength The longest sequence; a window at least as long changes nothing.
 * @param options.tailWeight What the tokens of a completion beyond the shorter one's length count; default 1.
 */
export function packingOf(
  { slidingWindow, windowedFrom, layers, positions }: ModelConfig,
  { maxLength, tailWeight = 1 }: { maxLength: number; tailWeight?: number | undefined },
): Packing {
  const windowed = slidingWindow !== null && slidingWindow < maxLength && windowedFrom < layers;
  const learnedPositions = positions === "learned";
  const weighted = tailWeight !== 1;
  return {
    pack: {
      ...(weighted ? { tailWeight } : {}),
      ...(windowed ? { window: slidingWindow } : {}),
      listPositions: learnedPositions,
    },
    inputs: { windowed, learnedPositions, weighted },
  };
}
