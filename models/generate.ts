/** Generation: prompts in, the tokens that a model continues them with out, many sequences at a time. */
import type { Device } from "../kernels/device.ts";
import { continuePrompts, type Generation, type GenerationOptions } from "./continue_prompts.ts";
import { createDecoder, type DecoderOptions } from "./decoder.ts";
import type { Weights } from "./transformer.ts";

/** Generates with caches and programs that are made once. */
export interface Generator {
  /** Bytes on the device besides the weights. */
  readonly bytes: number;
  /**
   * Continues prompts, `maxSequences` at a time; a finished sequence makes room for the next prompt.
   *
   * @throws {RangeError} if a prompt or an option is out of range, or an option would have no effect
   * @throws {Error} if the generator is at work already
   */
  generate(options: GenerationOptions): Promise<Generation>;
}

/**
 * Builds a generator over weights that may go on being trained: every call uses them as they are.
 *
 * @throws {RangeError} if a size isn't a positive integer, or `maxLength` exceeds the model's positions
 * @throws {Error} if the device lacks the memory, in bytes
 *
 * @example
 * ```ts ignore
 * const generator = await createGenerator(device, { config, weights, maxSequences: 8, maxLength: 256 });
 * const { tokens } = await generator.generate({ prompts: [[1, 403, 407]], maxTokens: 64, stopTokens: [2] });
 * ```
 */
export async function createGenerator(device: Device, options: DecoderOptions): Promise<Generator> {
  const decoder = await createDecoder(device, options);
  let busy = false;
  return {
    bytes: decoder.bytes,
    async generate(options) {
      if (busy) {
        throw new Error("generate: the generator is at work; await the call before, or make another one");
      }
      busy = true;
      try {
        return await continuePrompts(decoder, options);
      } finally {
        busy = false;
      }
    },
  };
}

/** What {@linkcode generate} is given: the model, and what to continue. */
export interface GenerateOptions
  extends GenerationOptions, Omit<DecoderOptions, "weights" | "maxSequences" | "maxLength"> {
  /** Sequences that are decoded together; default as many as there are prompts, up to 32. */
  readonly maxSequences?: number;
  /** Tokens that a sequence may have; default what these prompts and `maxTokens` need, as far as the model goes. */
  readonly maxLength?: number;
}

const DEFAULT_SEQUENCES = 32;

/**
 * Continues prompts once; {@linkcode createGenerator} keeps for further calls what this builds and drops.
 *
 * @param weights Parameters as `modelParameters` names them.
 * @throws as `createGenerator` and its `generate` do
 *
 * @example
 * ```ts ignore
 * const { tokens, stopped } = await generate(device, weights, {
 *   config,
 *   prompts: [tokenizer.encode("Once upon a time", { addSpecialTokens: true })],
 *   maxTokens: 64,
 *   stopTokens: config.eosTokenIds,
 *   temperature: 0.8,
 *   topP: 0.95,
 * });
 * ```
 */
export async function generate(
  device: Device,
  weights: Weights,
  options: GenerateOptions,
): Promise<Generation> {
  const { config, prefillRows, ...generation } = options;
  const { prompts, maxTokens } = generation;
  const longest = prompts.reduce((most, { length }) => Math.max(most, length), 1);
  const {
    maxSequences = Math.min(DEFAULT_SEQUENCES, Math.max(1, prompts.length)),
    maxLength = Math.min(config.maxPositions, longest + maxTokens),
  } = options;
  const generator = await createGenerator(device, {
    config,
    weights,
    maxSequences,
    maxLength,
    ...(prefillRows === undefined ? {} : { prefillRows }),
  });
  return await generator.generate(generation);
}
