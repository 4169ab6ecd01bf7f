/** The loop of generation: admits prompts to a decoder, samples for every sequence, and sees when each is complete. */
import type { Decoder } from "./decoder.ts";
import { philoxUniform } from "./philox.ts";
import { checkSampling, sampleToken, type SamplingOptions, tokenLogProb } from "./sample.ts";

/** What to continue, how far and how. */
export interface GenerationOptions extends Partial<SamplingOptions> {
  /** Token ids of each prompt: at least one, and at most the generator's `maxLength` − 1. */
  readonly prompts: readonly ArrayLike<number>[];
  /** Tokens to generate for a prompt at most, a stop token included. */
  readonly maxTokens: number;
  /** Token ids that end a sequence; default none. */
  readonly stopTokens?: readonly number[];
  /** What logits are divided by; 0 takes the likeliest token. Default 1. */
  readonly temperature?: number;
  /** An integer; the same gives the same tokens. Default 0. */
  readonly seed?: number;
  /**
   * Which of the seed's random streams each prompt draws from, an integer from 0; default its index. A prompt with the
   * same stream gives the same tokens whatever else is generated with it.
   */
  readonly streams?: readonly number[];
  /** Whether to return each token's log-probability under the model; default false. */
  readonly logProbs?: boolean;
  /** Called with every token as soon as it is known, except stop tokens. */
  readonly onToken?: (token: GeneratedToken) => void;
  /** Called after every step. */
  readonly onProgress?: (progress: GenerationProgress) => void;
}

/** A token that was generated. */
export interface GeneratedToken {
  /** Index of the prompt that it continues. */
  readonly prompt: number;
  /** Token id. */
  readonly token: number;
}

/** How far a generation has come. */
export interface GenerationProgress {
  /** Prompts whose continuation is complete. */
  readonly finished: number;
  /** Prompts in all. */
  readonly prompts: number;
  /** Tokens generated so far, stop tokens not included. */
  readonly tokens: number;
}

/** Why a sequence ended: at a stop token, or at `maxTokens` or the generator's `maxLength`. */
export type StopReason = "stop" | "length";

/** What was generated, in the order of the prompts. */
export interface Generation {
  /** Token ids without the prompt and without the stop token. */
  readonly tokens: number[][];
  /** Why each sequence ended. */
  readonly stopped: StopReason[];
  /** Natural logarithm of each token's probability under the model, at temperature 1 and with no token ruled out. */
  readonly logProbs?: number[][];
}

/** A sequence that is being generated, in one of the decoder's caches. */
interface Sequence {
  /** Index of the prompt. */
  readonly prompt: number;
  /** The last token. */
  token: number;
  /** Where that is. */
  position: number;
  /** Tokens drawn so far. */
  drawn: number;
}

/** New prompts wait until this share of the caches is free: a prefill costs all its rows, however few it fills. */
const REFILL_SHARE = 1 / 4;

/**
 * Continues prompts with a decoder.
 *
 * @throws {RangeError} if a prompt or an option is out of range, or an option would have no effect
 */
export async function continuePrompts(decoder: Decoder, given: GenerationOptions): Promise<Generation> {
  const options = { temperature: 1, seed: 0, stopTokens: [], ...given };
  checkOptions(decoder, options);
  const { prompts, maxTokens, seed, streams } = options;
  const { config: { vocabularySize }, maxSequences, maxLength } = decoder.options;
  const stopTokens = new Set(options.stopTokens);
  const tokens: number[][] = prompts.map(() => []);
  const logProbs: number[][] = prompts.map(() => []);
  const stopped: StopReason[] = prompts.map(() => "length");
  const sequences: (Sequence | undefined)[] = Array(maxSequences).fill(undefined); // one a cache
  let admitted = 0, finished = 0, generated = 0;

  while (finished < prompts.length) {
    admit();
    const logits = await decoder.step(sequences); // [maxSequences, V]
    sequences.forEach((sequence, cache) => {
      if (sequence === undefined) return;
      const row = logits.subarray(cache * vocabularySize, (cache + 1) * vocabularySize);
      if (!advance(sequence, row)) return;
      sequences[cache] = undefined;
      finished++;
    });
    options.onProgress?.({ finished, prompts: prompts.length, tokens: generated });
  }
  return { tokens, stopped, ...(options.logProbs ? { logProbs } : {}) };

  /** Gives free caches to prompts that wait, once there are enough of them. */
  function admit(): void {
    const free = sequences.flatMap((sequence, cache) => sequence === undefined ? [cache] : []);
    if (free.length < maxSequences * REFILL_SHARE) return;
    const prefills = free.slice(0, prompts.length - admitted).map((cache) => {
      const prompt = Array.from(prompts[admitted]!);
      const position = prompt.length - 1;
      sequences[cache] = { prompt: admitted++, token: prompt[position]!, position, drawn: 0 };
      // The last token isn't only remembered but predicts one: it is left to the next step.
      return { sequence: cache, tokens: prompt.slice(0, position) };
    });
    decoder.prefill(prefills);
  }

  /** Draws a sequence's next token; returns whether that was its last. */
  function advance(sequence: Sequence, logits: Float32Array): boolean {
    const { prompt } = sequence;
    const index = { seed, stream: streams?.[prompt] ?? prompt, step: sequence.drawn++ };
    const token = sampleToken(logits, { ...options, random: () => philoxUniform(index) });
    if (stopTokens.has(token)) {
      stopped[prompt] = "stop";
      return true;
    }
    sequence.token = token;
    sequence.position++;
    generated++;
    tokens[prompt]!.push(token);
    if (options.logProbs) logProbs[prompt]!.push(tokenLogProb(logits, token));
    options.onToken?.({ prompt, token });
    return sequence.drawn === maxTokens || sequence.position + 1 === maxLength;
  }
}

function checkOptions(
  { options: { config, maxLength } }: Decoder,
  options: GenerationOptions & SamplingOptions,
): void {
  checkSampling(options);
  const { prompts, maxTokens, streams } = options;
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1) {
    throw new RangeError(`maxTokens is ${maxTokens}; wanted a positive integer`);
  }
  if (streams !== undefined && streams.length !== prompts.length) {
    throw new RangeError(
      `streams has ${streams.length} entries for ${prompts.length} prompts; wanted one each`,
    );
  }
  for (const [i, prompt] of prompts.entries()) {
    if (prompt.length === 0) {
      throw new RangeError(`Prompt ${i} is empty; wanted at least one token, such as BOS`);
    }
    if (prompt.length >= maxLength) {
      throw new RangeError(
        `Prompt ${i} has ${prompt.length} tokens; wanted at most ${
          maxLength - 1
        }, so that one more fits into ` +
          `the maximum length of ${maxLength}`,
      );
    }
    for (let position = 0; position < prompt.length; position++) {
      const token = prompt[position]!;
      if (Number.isInteger(token) && token >= 0 && token < config.vocabularySize) continue;
      throw new RangeError(
        `Prompt ${i} has the token ${token} at position ${position}; wanted ids from 0 to ${
          config.vocabularySize - 1
        }`,
      );
    }
  }
}
