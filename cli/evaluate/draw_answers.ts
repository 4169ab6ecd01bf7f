/** Draws answers of a model. */
import type { Device } from "../../kernels/device.ts";
import { generate } from "../../models/generate.ts";
import type { Weights } from "../../models/transformer.ts";
import type { Answer } from "../../evaluation/answers.ts";
import { type LoadedModel, stopTokens } from "../../training/load.ts";
import type { EvaluateConfig } from "../config.ts";
import type { Asked } from "./asked.ts";

/** How answers are drawn. */
export type Generation = NonNullable<EvaluateConfig["generation"]>;

/** An answer with the tokens that it was drawn as. */
export interface DrawnAnswer extends Answer {
  /** The prompt's token ids. */
  readonly prompt: ArrayLike<number>;
  /** The answer's, with a token that ends it if it ended by itself. */
  readonly ids: number[];
}

/** Where an opponent's random streams begin: with the policy's own, alike models would give alike answers too often. */
const OPPONENT_STREAMS = 2 ** 31;

/**
 * Draws answers to prompts.
 *
 * @param options.isOpponent Whether they are to be independent of the answers that a policy gives to the same prompts.
 * @returns For each prompt its answers. The end token in `ids` is one of the model's: which of them it drew isn't known.
 */
export async function drawAnswers(
  device: Device,
  weights: Weights,
  { model, asked, generation, isOpponent = false, onProgress }: {
    model: Pick<LoadedModel, "config" | "tokenizer">;
    isOpponent?: boolean;
    asked: Asked;
    generation: Generation;
    onProgress: (done: number, total: number) => void;
  },
): Promise<DrawnAnswer[][]> {
  const { samples, ...options } = generation;
  const ends = stopTokens(model);
  const encoded = asked.prompts.map((_, index) => asked.encode(index, model.tokenizer));
  const prompts = encoded.flatMap((ids) => Array.from({ length: samples }, () => ids));
  const { tokens, stopped } = await generate(device, weights, {
    ...options,
    config: model.config,
    prompts,
    streams: prompts.map((_, i) => isOpponent ? OPPONENT_STREAMS + i : i),
    stopTokens: ends,
    onProgress: ({ finished }) => onProgress(finished, prompts.length),
  });
  return encoded.map((prompt, i) =>
    Array.from({ length: samples }, (_, k) => {
      const at = i * samples + k;
      const ids = tokens[at]!;
      const ended = stopped[at] === "stop";
      return {
        prompt,
        text: model.tokenizer.decode(ids, { skipSpecialTokens: true }),
        tokens: ids.length,
        ended,
        ids: ended ? [...ids, ends[0]!] : ids,
      };
    })
  );
}
