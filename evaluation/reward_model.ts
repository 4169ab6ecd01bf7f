/** Reward models: a transformer whose last hidden state gives a text one number. This module does file I/O and uses `Deno.*`. */
import { chooseShapes, fitShape } from "../data/buckets.ts";
import { measureGroups, type PackedBatch, type PackedGroup, packGroups } from "../data/pack.ts";
import { readTokenizer } from "../data/read_tokenizer.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import type { Device } from "../kernels/device.ts";
import { lookUp } from "../kernels/embedding.ts";
import { createGraph, input, output } from "../kernels/graph.ts";
import { createParameters, layoutParameters, maximumSegmentBytes } from "../kernels/parameters.ts";
import { compile } from "../kernels/program.ts";
import type { ModelConfig } from "../models/config.ts";
import { families, modelParameters } from "../models/families/mod.ts";
import { type ModelDirectory, openModelDirectory } from "../models/files/directory.ts";
import { batchInputs } from "../models/log_probs.ts";
import { rotaryTables } from "../models/rotary_tables.ts";
import { checkTensors } from "../models/tensors.ts";
import { attendWithin, finalNorm, transformer } from "../models/transformer.ts";
import { uploadDirectory } from "../models/weights.ts";
import { batchesOf, type Examples, sizesOf } from "../training/examples.ts";
import { withFullNames } from "../training/load.ts";
import { packingOf } from "../training/packing.ts";
import { longestSequence } from "../training/plan.ts";
import { microBatches } from "../training/records.ts";

/** A reward model's files, checked. */
export interface RewardModel {
  /** The open directory; close it when the scores are there. */
  readonly directory: ModelDirectory;
  /** The architecture below the head. */
  readonly config: ModelConfig;
  /** [hiddenSize], the head. */
  readonly head: Float32Array;
  /** The token that is no part of a text's end; null for none. */
  readonly padTokenId: number | null;
}

const HEAD = "score.weight";

/**
 * Opens a reward model in Hugging Face layout: a `…ForSequenceClassification` of a supported family with one label, whose
 * head is `score.weight`.
 *
 * @throws If something is missing, malformed, unsupported or doesn't fit; the message names it.
 */
export async function openRewardModel(path: string): Promise<RewardModel> {
  const opened = await openModelDirectory(path);
  try {
    const name = `${path}/config.json`;
    const config = parseRewardConfig(opened.config, { name });
    const head = opened.tensors.get(HEAD);
    if (head === undefined) {
      throw new Error(
        `${path}: ${HEAD} is missing; wanted a reward model (…ForSequenceClassification), not a language model`,
      );
    }
    const [labels, channels] = head.shape;
    if (head.shape.length !== 2 || labels !== 1 || channels !== config.hiddenSize) {
      throw new Error(
        `${path}: ${HEAD} is [${
          head.shape.join(", ")
        }], wanted [1, ${config.hiddenSize}]: a reward model has one label`,
      );
    }
    const body = { ...opened, tensors: new Map([...opened.tensors].filter(([tensor]) => tensor !== HEAD)) };
    const directory = withFullNames(body, config);
    checkTensors(config, directory.tensors, { name: path });
    const pad = opened.config.pad_token_id ?? null;
    return {
      directory,
      config,
      head: await opened.read(HEAD),
      padTokenId: Number.isInteger(pad) ? pad as number : null,
    };
  } catch (error) {
    opened.close();
    throw error;
  }
}

/** The tokenizer of a reward model's directory, which may be another one than the policy's. */
export function readRewardTokenizer(path: string): Promise<Tokenizer> {
  return readTokenizer(path);
}

/** The architecture below the head: as that of the language model, without an output layer. */
function parseRewardConfig(config: Record<string, unknown>, { name }: { name: string }): ModelConfig {
  const { model_type: type, architectures } = config;
  const family = Object.hasOwn(families, String(type)) ? families[type as keyof typeof families] : undefined;
  const wanted = family?.architecture.replace(/(ForCausalLM|LMHeadModel)$/, "ForSequenceClassification");
  if (family === undefined || !Array.isArray(architectures) || !architectures.includes(wanted)) {
    const known = Object.values(families).map(({ architecture }) =>
      architecture.replace(/(ForCausalLM|LMHeadModel)$/, "ForSequenceClassification")
    );
    throw new Error(
      `${name}: architectures is ${JSON.stringify(architectures)} with model_type ${JSON.stringify(type)}; ` +
        `reward models can be ${known.join(", ")}`,
    );
  }
  return family.parse({ ...config, tie_word_embeddings: true }, { name });
}

/** Options of {@linkcode scoreRewards}. */
export interface RewardOptions {
  /** Prompts and completions in the reward model's token ids. */
  readonly groups: Examples<PackedGroup>;
  /** Prompts computed at a time. */
  readonly batchSize: number;
  /** Refuse to take more device memory than this, in bytes. */
  readonly memoryLimit?: number;
}

/**
 * Scores completions with a reward model: the head applied to the state of the last token that isn't padding, which is what
 * transformers computes.
 *
 * @returns For each prompt, in order, the reward of its completions.
 * @throws If the model doesn't fit the device or the limit, or a text is longer than it reads.
 */
export async function* scoreRewards(
  device: Device,
  { directory, config, head, padTokenId }: RewardModel,
  { groups: given, batchSize, memoryLimit }: RewardOptions,
): AsyncGenerator<number[]> {
  if (given.length === 0) return;
  const groups = Array.from(given, (group) => withoutPadding(group, padTokenId));
  const maxLength = longestSequence(groups) - 1;
  if (maxLength > config.maxPositions) {
    throw new Error(
      `${directory.path}: a text to be scored has ${maxLength} tokens, but the reward model reads at most ` +
        `${config.maxPositions}; shorten prompts or answers`,
    );
  }
  const parameters = modelParameters(config);
  const layout = layoutParameters(parameters, { maximumBytes: maximumSegmentBytes(device) });
  const weights = await createParameters(device, { layout, label: "reward model" });
  const tables = rotaryTables(device, config, { positions: maxLength });
  const packing = packingOf(config, { maxLength });
  const sizes = groups.map((_, i) => sizesOf(groups, i));
  const shapes = chooseShapes(microBatches(sizes, batchSize).map((batch) => measureGroups(batch)));
  const graphs = shapes.map((shape) => {
    const graph = createGraph(device);
    const { tokens, positions, spans, window_spans: windowSpans } = batchInputs(graph, shape, packing.inputs);
    const indices = input(graph, "last_rows", { shape: [shape.sequences], dtype: "u32" });
    const hidden = transformer(graph, weights, {
      config,
      inputs: { tokens, positions, rotaryTables: tables },
      attend: attendWithin(graph, config, { spans, windowSpans }),
    }); // [rows, C]
    const last = lookUp(graph, hidden, { indices }); // [sequences, C]
    output(graph, "states", finalNorm(graph, last, { config, weights }));
    return graph;
  });
  const programs = await compile(device, {
    graphs,
    reserved: weights.bytes,
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
  });
  await uploadDirectory(device, weights, { directory, parameters });
  try {
    for (const batch of batchesOf(groups, batchSize)) {
      const shape = fitShape(shapes, measureGroups(batch));
      const program = programs[shapes.indexOf(shape)]!;
      const packed = packGroups(batch, { shape, ...packing.pack });
      for (const [name, values] of Object.entries(packed)) program.inputs[name]?.set(values);
      program.inputs.last_rows!.set(lastRows(packed));
      const { states } = await program.run().read();
      let sequence = 0;
      for (const { completions } of batch) {
        yield completions.map(() => {
          const at = sequence++ * config.hiddenSize;
          // One row of a head is nothing to a GPU, and float64 costs nothing here.
          return head.reduce((sum, weight, c) => sum + weight * states![at + c]!, 0);
        });
      }
    }
  } finally {
    for (const buffer of weights.buffers) buffer.destroy();
  }
}

/** Cuts padding off the ends, and adds a token that takes no row: all before it then do, and the last row predicts it. */
function withoutPadding({ prompt, completions }: PackedGroup, padTokenId: number | null): PackedGroup {
  return {
    prompt,
    completions: completions.map((completion) => {
      const ids = Array.from(completion);
      while (ids.length > 0 && ids.at(-1) === padTokenId) ids.pop();
      return [...ids, 0];
    }),
  };
}

/** The row of each sequence's last token. */
function lastRows({ sequence_starts, slot_rows, lengths }: PackedBatch): Int32Array {
  return Int32Array.from(
    lengths,
    (length, sequence) => length === 0 ? 0 : slot_rows[sequence_starts[sequence + 1]! - 1]!,
  );
}
