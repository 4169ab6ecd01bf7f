/** Completions under a policy and under the models that it is compared with. */
import { chooseShapes, fitShape } from "../data/buckets.ts";
import { measureGroups, type PackedGroup, packGroups } from "../data/pack.ts";
import type { Device } from "../kernels/device.ts";
import { createGraph, output } from "../kernels/graph.ts";
import { compile } from "../kernels/program.ts";
import type { ModelConfig } from "../models/config.ts";
import { batchInputs, completionLogProbs } from "../models/log_probs.ts";
import { rotaryTables } from "../models/rotary_tables.ts";
import type { Weights } from "../models/transformer.ts";
import { batchesOf, type Examples, sizesOf } from "../training/examples.ts";
import { packingOf } from "../training/packing.ts";
import { longestSequence } from "../training/plan.ts";
import { microBatches } from "../training/records.ts";

/** A completion under the policy and under the others. */
export interface ComparedCompletion {
  /** Its tokens. */
  readonly tokens: number;
  /** Their summed log-prob under the policy, in nats. */
  readonly logp: number;
  /**
   * For each other model: the summed log-prob, and Σ KL(policy ‖ other) over the completion's positions, exact over the
   * vocabulary, in nats.
   */
  readonly others: readonly { readonly logp: number; readonly divergence: number }[];
}

/** Options of {@linkcode compareCompletions}. */
export interface CompareOptions {
  /** The architecture that all models share. */
  readonly config: ModelConfig;
  /** The policy's weights. */
  readonly policy: Weights;
  /** Those of the models it is compared with; may be empty. */
  readonly others: readonly Weights[];
  /** Prompts and completions in token ids. */
  readonly groups: Examples<PackedGroup>;
  /** Prompts computed at a time. */
  readonly batchSize: number;
  /** Bytes on the device that are taken already, for the limit. */
  readonly reserved?: number;
  /** Refuse to take more device memory than this, in bytes. */
  readonly memoryLimit?: number;
}

/**
 * Runs completions through a policy and the models that it is compared with, a batch at a time.
 *
 * @returns For each prompt, in order, what its completions are to the models.
 * @throws If the activations don't fit the device or the limit, or a sequence is longer than the model reads.
 */
export async function* compareCompletions(
  device: Device,
  options: CompareOptions,
): AsyncGenerator<ComparedCompletion[]> {
  const { config, policy, others, groups, batchSize, reserved, memoryLimit } = options;
  if (groups.length === 0) return;
  const maxLength = longestSequence(groups);
  if (maxLength > config.maxPositions) {
    throw new Error(
      `a prompt and completion have ${maxLength} tokens together, but the model reads at most ${config.maxPositions}; ` +
        "cut them",
    );
  }
  const sizes = Array.from({ length: groups.length }, (_, i) => sizesOf(groups, i));
  const shapes = chooseShapes(microBatches(sizes, batchSize).map((batch) => measureGroups(batch)));
  const tables = rotaryTables(device, config, { positions: maxLength });
  const packing = packingOf(config, { maxLength });
  const graphs = shapes.map((shape) => {
    const graph = createGraph(device);
    const batch = batchInputs(graph, shape, packing.inputs);
    const compared = completionLogProbs(graph, policy, { config, batch, tables, others });
    output(graph, "policy", compared.sequence);
    compared.others.forEach(({ sequence, divergence }, i) => {
      output(graph, `other ${i}`, sequence);
      output(graph, `divergence ${i}`, divergence);
    });
    return graph;
  });
  const programs = await compile(device, {
    graphs,
    ...(reserved === undefined ? {} : { reserved }),
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
  });
  for (const batch of batchesOf(groups, batchSize)) {
    const shape = fitShape(shapes, measureGroups(batch));
    const program = programs[shapes.indexOf(shape)]!;
    const packed = packGroups(batch, { shape, ...packing.pack });
    for (const [name, values] of Object.entries(packed)) program.inputs[name]?.set(values);
    const results = await program.run().read();
    let sequence = 0;
    for (const { completions } of batch) {
      yield completions.map(({ length }) => {
        const at = sequence++;
        return {
          tokens: length,
          logp: results.policy![at]!,
          others: others.map((_, i) => ({
            logp: results[`other ${i}`]![at]!,
            divergence: results[`divergence ${i}`]![at]!,
          })),
        };
      });
    }
  }
}
