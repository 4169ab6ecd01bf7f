/** Answers in the forms that people and judges' scripts read. */
import type { PromptEntry } from "../data/prompts.ts";

/** A form of answers: JSON lines of our own, AlpacaEval's `model_outputs`, or Arena-Hard's `model_answer`. */
export type AnswerFormat = "jsonl" | "alpaca_eval" | "arena_hard";

/** An answer to a prompt. */
export interface Answer extends PromptEntry {
  /** The answer as text. */
  readonly completion: string;
  /** Its tokens, without the one that ended it. */
  readonly tokens: number;
}

/**
 * One answer as an object of a form.
 *
 * @param options.model What the judge calls the model.
 * @param options.time Seconds since 1970, for Arena-Hard.
 * @throws If the prompt's entry lacks what the form needs.
 */
export function formatAnswer(
  { prompt, entry, completion, tokens }: Answer,
  { format, model, time, index }: { format: AnswerFormat; model: string; time: number; index: number },
): unknown {
  if (format === "jsonl") return { prompt, completion };
  if (format === "alpaca_eval") {
    const { instruction, input, dataset } = entry;
    return {
      ...(dataset === undefined ? {} : { dataset }),
      instruction: instruction ?? textOf(prompt, index),
      ...(input === undefined ? {} : { input }),
      output: completion,
      generator: model,
    };
  }
  const { question_id: question } = entry;
  if (question === undefined) {
    throw new Error(
      `output.format: arena_hard needs a question_id of every prompt; prompt ${index + 1} has none`,
    );
  }
  return {
    question_id: question,
    answer_id: crypto.randomUUID(),
    model_id: model,
    choices: [{ index: 0, turns: [{ content: completion, token_len: tokens }] }],
    tstamp: time,
    conv_metadata: { token_len: tokens },
  };
}

/** What a prompt asks, as one text. */
function textOf(prompt: Answer["prompt"], index: number): string {
  if (typeof prompt === "string") return prompt;
  const [message, ...others] = prompt;
  if (others.length === 0 && typeof message?.content === "string") return message.content;
  throw new Error(
    `output.format: alpaca_eval knows single questions only; prompt ${index + 1} is a conversation`,
  );
}
