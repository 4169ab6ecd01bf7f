/** A case as files that programs in other languages read. */
import { beta, casePairs, caseTensors, optimizer, type StepCase } from "../cases.ts";

/** `case.json`: everything about a case but the weights. */
export interface CaseFile {
  /** The model's shape. */
  readonly model: StepCase["config"];
  /** AdamW's constants. */
  readonly optimizer: typeof optimizer & { readonly learningRate: number };
  /** DPO's beta. */
  readonly beta: number;
  /** Pairs in the batch. */
  readonly pairs: number;
  /** Tokens of a sequence, prompt included. */
  readonly length: number;
  /** Tokens of the prompt. */
  readonly prompt: number;
  /** [2 pairs, length]: the chosen sequences, then the rejected ones. */
  readonly tokens: readonly number[];
  /** The tensors in `policy.bin` and `reference.bin`, float32, one after another. */
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** Writes `case.json`, `policy.bin` and `reference.bin`. */
export async function writeCase(directory: string, stepCase: StepCase): Promise<void> {
  const { config, pairs, learningRate, promptTokens, completionTokens } = stepCase;
  const examples = casePairs(stepCase);
  const sequences = [0, 1].flatMap((side) =>
    examples.map(({ prompt, completions }) => [...Array.from(prompt), ...Array.from(completions[side]!)])
  );
  for (const policy of ["policy", "reference"] as const) {
    const values = caseTensors(config, policy).map(({ values }) => values);
    await Deno.writeFile(`${directory}/${policy}.bin`, new Blob(values).stream());
  }
  const file: CaseFile = {
    model: config,
    optimizer: { ...optimizer, learningRate },
    beta,
    pairs,
    length: promptTokens + completionTokens,
    prompt: promptTokens,
    tokens: sequences.flat(),
    tensors: caseTensors(config, "policy").map(({ name, shape }) => ({ name, shape })),
  };
  await Deno.writeTextFile(`${directory}/case.json`, JSON.stringify(file));
}
