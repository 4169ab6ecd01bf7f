/** Samples from the policy before and after training, for people to read. */
import { createGenerator } from "../models/generate.ts";
import { stopTokens } from "./load.ts";
import type { PreparedRun } from "./prepare.ts";

/** What the policy says to a prompt. */
export interface Sample {
  /** The prompt as text. */
  readonly prompt: string;
  /** The answer before training. */
  readonly before: string;
  /** The answer after training. */
  readonly after: string;
}

/** Draws the same samples again as the policy changes. */
export interface Sampler {
  /** One sample a prompt, in `before`. */
  draw(): Promise<Sample[]>;
}

/**
 * A sampler over the first prompts of the held-out records, or of the training records where nothing is held out.
 *
 * It shares the policy's weights, so each draw shows the policy as it is.
 */
export function createSampler(run: PreparedRun): Sampler {
  const { engine, model, config } = run;
  const { samples, sampleTokens } = config.output;
  const { tokenizer } = model;
  const prompts = distinctPrompts(run, samples);
  if (prompts.length === 0) return { draw: () => Promise.resolve([]) };
  const longest = Math.max(...prompts.map(({ length }) => length));
  const maxLength = Math.min(model.config.maxPositions, longest + sampleTokens);
  const generator = createGenerator(engine.device, {
    config: model.config,
    weights: engine.weights("policy"),
    maxSequences: prompts.length,
    maxLength,
    prefillRows: Math.min(256, prompts.reduce((sum, { length }) => sum + length, 0)),
  });
  return {
    async draw() {
      const { tokens } = await (await generator).generate({
        prompts,
        maxTokens: sampleTokens,
        stopTokens: stopTokens(model),
        ...config.generation,
      });
      return prompts.map((prompt, i) => ({
        prompt: tokenizer.decode(prompt, { skipSpecialTokens: true }),
        before: tokenizer.decode(tokens[i]!, { skipSpecialTokens: true }),
        after: "",
      }));
    },
  };
}

/** The first `count` prompts that differ and leave room for an answer. */
function distinctPrompts({ heldOut, records, model }: PreparedRun, count: number): number[][] {
  const { examples } = heldOut ?? records;
  const found = new Map<string, number[]>();
  for (const { prompt } of examples) {
    if (found.size >= count) break;
    const tokens = Array.from(prompt);
    if (tokens.length < model.config.maxPositions) found.set(tokens.join(), tokens);
  }
  return [...found.values()];
}
