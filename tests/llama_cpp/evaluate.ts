/** What llama.cpp makes of an exported file. */
import { openModelDirectory } from "../../models/files/directory.ts";
import { exportGguf } from "../../models/files/gguf/export.ts";
import type { GgmlType } from "../../models/files/gguf/tensor_types.ts";
import { installLlamaCpp } from "./install.ts";

/** The types that are checked. */
export const TYPES: readonly GgmlType[] = ["F32", "F16", "BF16", "Q8_0"];

/** llama.cpp's answer. */
export interface LlamaCppAnswer {
  /** Ids of each text, special tokens in it recognized, none added. */
  tokens: number[][];
  /** Logits after each token of each sequence, over the whole vocabulary. */
  logits: Float32Array[][];
  /** What llama.cpp read in the file. */
  metadata: { name: string; bos: number | null; eos: number | null; addsBos: boolean; contextLength: number };
}

/** Loads a file with llama.cpp on the CPU, key/value cache in float32, and evaluates sequences and tokenizes texts. */
export async function evaluateWithLlamaCpp(
  model: string,
  { sequences = [], texts = [] }: { sequences?: readonly number[][]; texts?: readonly string[] },
): Promise<LlamaCppAnswer> {
  const directory = await installLlamaCpp();
  const logitsFile = `${directory}/logits`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "evaluate.mjs"],
    cwd: directory,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const answer = child.output();
  const request = new Blob([JSON.stringify({ model, sequences, texts, logitsFile })]);
  await request.stream().pipeTo(child.stdin);
  const { success, stdout, stderr } = await answer;
  if (!success) throw new Error(`llama.cpp on ${model}: ${new TextDecoder().decode(stderr)}`);
  const { tokens, vocabularySize, metadata } = JSON.parse(new TextDecoder().decode(stdout));
  const values = sequences.length === 0
    ? new Float32Array()
    : new Float32Array((await Deno.readFile(logitsFile)).buffer);
  let at = 0;
  const row = () => values.subarray(at, at += vocabularySize);
  return { tokens, metadata, logits: sequences.map((ids) => ids.map(row)) };
}

/** log softmax of logits, in float64. */
export function logSoftmax(logits: ArrayLike<number>): Float64Array {
  let largest = -Infinity, sum = 0;
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]!);
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - largest);
  const shift = largest + Math.log(sum);
  return Float64Array.from(logits, (logit) => logit - shift);
}

/** KL(p ‖ q) of two distributions given as log-probs, in nats. */
export function divergence(p: Float64Array, q: Float64Array): number {
  return p.reduce((sum, logProb, i) => sum + Math.exp(logProb) * (logProb - q[i]!), 0);
}

/** Exports a model directory to a temporary file and asks llama.cpp about it. */
export async function exportAndEvaluate(
  model: string,
  { type, ...request }: { type: GgmlType; sequences?: number[][]; texts?: string[] },
): Promise<LlamaCppAnswer> {
  const file = await Deno.makeTempFile({ suffix: ".gguf" });
  using directory = await openModelDirectory(model);
  try {
    await exportGguf(directory, { file, type, overwrite: true });
    return await evaluateWithLlamaCpp(file, request);
  } finally {
    await Deno.remove(file);
  }
}
