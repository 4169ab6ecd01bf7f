/** Log-probabilities of records under one model, without anything that training needs. */
import { chooseShapes, fitShape } from "../data/buckets.ts";
import { measureGroups, type PackedGroup, packGroups } from "../data/pack.ts";
import type { Device } from "../kernels/device.ts";
import { createGraph, output } from "../kernels/graph.ts";
import { createParameters, layoutParameters, maximumSegmentBytes } from "../kernels/parameters.ts";
import { compile } from "../kernels/program.ts";
import { modelParameters } from "../models/families/mod.ts";
import { batchInputs, completionLogProbs } from "../models/log_probs.ts";
import { rotaryTables } from "../models/rotary_tables.ts";
import type { LoadedModel } from "./load.ts";
import { batchesOf, type Examples, sizesOf } from "./examples.ts";
import { loadMerged } from "./lora.ts";
import { packingOf } from "./packing.ts";
import { longestSequence } from "./plan.ts";
import { microBatches } from "./records.ts";

/** The log-probability of a completion. */
export interface CompletionScore {
  /** Sum over its tokens, in nats. */
  readonly logp: number;
  /** Of each token. */
  readonly tokenLogps: number[];
}

/** Options of {@linkcode scoreRecords}. */
export interface ScoreOptions {
  /** Records scored at a time. */
  readonly batchSize: number;
  /** Directory of a LoRA adapter to merge into the model; default none. */
  readonly adapter?: string | null;
  /** Refuse to take more device memory than this, in bytes. */
  readonly memoryLimit?: number;
}

/**
 * Scores the completions of records in order, a batch at a time.
 *
 * @param model Its weights are read and uploaded first.
 * @param groups The records' prompts and completions.
 * @returns For each record the scores of its completions.
 * @throws If the weights and activations don't fit the device or the limit.
 */
export async function* scoreRecords(
  device: Device,
  model: LoadedModel,
  options: ScoreOptions & { groups: Examples<PackedGroup> },
): AsyncGenerator<CompletionScore[]> {
  const { groups, batchSize, memoryLimit, adapter = null } = options;
  const { config, directory } = model;
  const parameters = modelParameters(config);
  const layout = layoutParameters(parameters, { maximumBytes: maximumSegmentBytes(device) });
  const sizes = Array.from({ length: groups.length }, (_, i) => sizesOf(groups, i));
  const shapes = chooseShapes(microBatches(sizes, batchSize).map((batch) => measureGroups(batch)));
  const weights = await createParameters(device, { layout, label: "weights" });
  const maxLength = longestSequence(groups);
  const tables = rotaryTables(device, config, { positions: maxLength });
  const packing = packingOf(config, { maxLength });
  const graphs = shapes.map((shape) => {
    const graph = createGraph(device);
    const batch = batchInputs(graph, shape, packing.inputs);
    output(graph, "token", completionLogProbs(graph, weights, { config, batch, tables }).token);
    return graph;
  });
  const programs = await compile(device, {
    graphs,
    reserved: weights.bytes,
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
  });
  await loadMerged(device, weights, { directory, adapter, parameters });
  for (const batch of batchesOf(groups, batchSize)) {
    const shape = fitShape(shapes, measureGroups(batch));
    const program = programs[shapes.indexOf(shape)]!;
    const packed = packGroups(batch, { shape, ...packing.pack });
    for (const [name, values] of Object.entries(packed)) program.inputs[name]!.set(values);
    const { token } = await program.run().read();
    let slot = 0;
    for (const { completions } of batch) {
      yield completions.map(({ length }) => {
        const tokenLogps = [...token!.subarray(slot, slot += length)];
        return { logp: tokenLogps.reduce((sum, value) => sum + value, 0), tokenLogps };
      });
    }
  }
}
