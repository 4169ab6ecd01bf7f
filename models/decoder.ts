/** The decoder: a model with the keys and values of several sequences cached, one program to fill them, one to go on. */
import { cachedAttention } from "../kernels/cached_attention.ts";
import { createStorage, type Device, withMemoryCheck } from "../kernels/device.ts";
import { createGraph, type Graph, input, output } from "../kernels/graph.ts";
import { linear } from "../kernels/linear.ts";
import { compile, type Program } from "../kernels/program.ts";
import { bytesOf, externalTensor, sizeOf, type Tensor } from "../kernels/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { type RotaryTables, rotaryTables } from "./rotary_tables.ts";
import { finalNorm, isWindowed, outputHead, transformer, type Weights } from "./transformer.ts";

/** What a decoder is built for. */
export interface DecoderOptions {
  /** The model's architecture. */
  readonly config: ModelConfig;
  /** Its weights, which are read at every call: the decoder follows them as they are trained. */
  readonly weights: Weights;
  /** Sequences that are decoded together. */
  readonly maxSequences: number;
  /** Tokens that a sequence may have, at most the model's `maxPositions`. */
  readonly maxLength: number;
  /** Prompt tokens that are computed together; default 256. */
  readonly prefillRows?: number;
}

/** Tokens to be added to a sequence's cache. */
export interface Prefill {
  /** Which cache, from 0 to `maxSequences` − 1. */
  readonly sequence: number;
  /** Token ids from position 0 on; none is fine. What the cache held is overwritten. */
  readonly tokens: ArrayLike<number>;
}

/** The last token of a sequence, whose successor is wanted. */
export interface LastToken {
  /** Token id. */
  readonly token: number;
  /** Its position; the positions before it are in the cache. */
  readonly position: number;
}

/** A model that remembers the keys and values of the tokens it has seen. */
export interface Decoder {
  /** What it was built for. */
  readonly options: Required<DecoderOptions>;
  /** Bytes on the device besides the weights. */
  readonly bytes: number;
  /** Puts tokens into caches, packed end to end; returns at once. */
  prefill(prompts: readonly Prefill[]): void;
  /**
   * Adds one token to each sequence's cache.
   *
   * @param last the token of sequence i in entry i; sequences with none are left as they are
   * @returns [maxSequences, vocabularySize], the logits of the next token; those of sequences without a token mean nothing
   */
  step(last: readonly (LastToken | undefined)[]): Promise<Float32Array>;
}

/**
 * Allocates the caches and compiles the two programs; afterwards nothing is allocated any more.
 *
 * @throws {RangeError} if a size isn't a positive integer, or `maxLength` exceeds the model's positions
 * @throws {Error} if the device lacks the memory, in bytes
 */
export async function createDecoder(device: Device, given: DecoderOptions): Promise<Decoder> {
  const options = { prefillRows: 256, ...given };
  checkSizes(options);
  const { config, maxSequences, maxLength, prefillRows } = options;
  const caches = await createCaches(device, options);
  const tables = rotaryTables(device, config, { positions: maxLength });
  const record = (rows: number, { predict }: { predict: boolean }): Graph => {
    const graph = createGraph(device);
    recordDecoder(graph, { ...options, rows, caches, tables, predict });
    return graph;
  };
  const [prefillProgram, stepProgram] = await compile(device, {
    graphs: [record(prefillRows, { predict: false }), record(maxSequences, { predict: true })],
  }) as [Program, Program];
  const external = [...caches, ...(tables ? [tables.cosines, tables.sines] : [])].reduce(
    (sum, tensor) => sum + bytesOf(tensor),
    0,
  );

  const clear = ({ inputs }: Program) => {
    inputs.tokens!.fill(0);
    inputs.positions!.fill(0);
    inputs.sequence_of!.fill(maxSequences); // no sequence: padding
  };
  const write = ({ inputs }: Program, row: number, entry: LastToken & { sequence: number }) => {
    inputs.tokens![row] = entry.token;
    inputs.positions![row] = entry.position;
    inputs.sequence_of![row] = entry.sequence;
  };

  return {
    options,
    bytes: external + stepProgram.memory.total,
    prefill(prompts) {
      let row = 0;
      clear(prefillProgram);
      for (const { sequence, tokens } of prompts) {
        for (let position = 0; position < tokens.length; position++) {
          write(prefillProgram, row++, { sequence, token: tokens[position]!, position });
          if (row < prefillRows) continue;
          prefillProgram.run();
          clear(prefillProgram);
          row = 0;
        }
      }
      if (row > 0) prefillProgram.run();
    },
    async step(last) {
      clear(stepProgram);
      last.forEach((entry, sequence) => {
        if (entry !== undefined) write(stepProgram, sequence, { ...entry, sequence });
      });
      const { logits } = await stepProgram.run().read();
      return logits!;
    },
  };
}

/** Records the model over `rows` rows; they are sequences in the order of the caches where logits are wanted. */
function recordDecoder(
  graph: Graph,
  { config, weights, rows, caches, tables, predict }: DecoderOptions & {
    rows: number;
    caches: readonly Tensor[];
    tables: RotaryTables | null;
    predict: boolean;
  },
): void {
  const { heads, keyValueHeads, headSize } = config;
  const [tokens, positions, sequenceOf] = (["tokens", "positions", "sequence_of"] as const).map((name) =>
    input(graph, name, { shape: [rows], dtype: "u32" })
  ) as [Tensor, Tensor, Tensor];
  const hidden = transformer(graph, weights, {
    config,
    inputs: { tokens, positions, rotaryTables: tables },
    attend: (qkv, layer) =>
      cachedAttention(graph, qkv, {
        cache: caches[layer]!,
        sequenceOf,
        positions,
        heads,
        keyValueHeads,
        headSize,
        ...(isWindowed(config, layer) ? { window: config.slidingWindow! } : {}),
      }),
  }); // [rows, C]
  if (!predict) return;
  const normed = finalNorm(graph, hidden, { config, weights });
  const logits = linear(graph, normed, outputHead(config, weights)); // [rows, V]
  output(graph, "logits", logits);
}

/** One cache a layer: [sequences, length, keys and values of all heads]. */
function createCaches(
  device: Device,
  { config, maxSequences, maxLength }: DecoderOptions,
): Promise<Tensor[]> {
  const shape = [maxSequences, maxLength, 2 * config.keyValueHeads * config.headSize];
  const size = sizeOf(shape) * 4;
  return withMemoryCheck(device, {
    bytes: size * config.layers,
    what: `the keys and values of ${maxSequences} sequences of ${maxLength} tokens`,
    allocate: () =>
      Array.from({ length: config.layers }, (_, layer) => {
        const label = `keys and values of layer ${layer}`;
        return externalTensor(createStorage(device, { size, label }), { shape, label });
      }),
  });
}

function checkSizes({ config, maxSequences, maxLength, prefillRows }: Required<DecoderOptions>): void {
  for (const [name, size] of Object.entries({ maxSequences, maxLength, prefillRows })) {
    if (Number.isSafeInteger(size) && size > 0) continue;
    throw new RangeError(`${name} is ${size}; wanted a positive integer`);
  }
  if (maxLength <= config.maxPositions) return;
  throw new RangeError(
    `maxLength is ${maxLength}, but the model is made for at most ${config.maxPositions} positions`,
  );
}
