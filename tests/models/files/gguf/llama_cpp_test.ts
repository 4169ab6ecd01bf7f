/**
 * Exported files in llama.cpp. This fetches node-llama-cpp with npm, so it runs only on request:
 *
 *     TR_ALIGN_LLAMA_CPP=1 deno task test tests/models/files/gguf/llama_cpp_test.ts
 */
import { assert, assertEquals } from "@std/assert";
import { loadTokenizer } from "../../../../data/tokenizer.ts";
import type { GgmlType } from "../../../../models/files/gguf/tensor_types.ts";
import { besideCheckout } from "../../../data/support.ts";
import { type Expectation, fixturePath } from "../../../fixtures/fixtures.ts";
import { divergence, exportAndEvaluate, logSoftmax, TYPES } from "../../../llama_cpp/evaluate.ts";
import { wantsLlamaCpp } from "../../../llama_cpp/install.ts";
import { byteLevelTokenizer, placeholderTokenizer, type TokenizerJsons, variedTexts } from "./tokenizers.ts";

function copyModel(source: string, target: string, { tokenizerJson, tokenizerConfig }: TokenizerJsons) {
  return Promise.all([
    ...["config.json", "model.safetensors"].map((name) =>
      Deno.copyFile(`${source}/${name}`, `${target}/${name}`)
    ),
    Deno.writeTextFile(`${target}/tokenizer.json`, JSON.stringify(tokenizerJson)),
    Deno.writeTextFile(`${target}/tokenizer_config.json`, JSON.stringify(tokenizerConfig)),
  ]);
}

// The fixtures' log-probs are PyTorch's in float64; those of the variants are in the file of the case they vary.
interface Case {
  name: string;
  /** Whose numbers they are. */
  numbers?: string;
  /** Beside the checkout, where it isn't one of the project's own. */
  beside?: true;
  /** llama.cpp looks GELU up in a table of float16 numbers, so float32 files can't do better than float16. */
  gelu?: true;
}
const CASES: readonly Case[] = [
  { name: "llama-gqa" },
  { name: "llama-gqa-bf16" },
  { name: "llama3-rope" },
  { name: "mistral", beside: true },
  { name: "qwen2", beside: true },
  { name: "gpt2", beside: true, gelu: true },
  { name: "gpt2-hub-names", numbers: "gpt2", beside: true, gelu: true },
  { name: "gpt_neox", beside: true, gelu: true },
  { name: "gpt_neox-hub-buffers", numbers: "gpt_neox", beside: true, gelu: true },
];

const FLOAT32_LIMIT = 1e-4; // as the fixtures suggest it for float32
/** Largest relative error of one rounding; for Q8_0 relative to the largest of its block. */
const ROUNDING: Readonly<Record<GgmlType, number>> = {
  F32: 2 ** -24,
  F16: 2 ** -11,
  BF16: 2 ** -8,
  Q8_0: 1 / 254,
};

// In each of the 15 products between input and logits (7 a layer, and the head) ggml rounds weights and activations to
// the file's type. Independent errors add up by their squares; two logits make a log-prob.
function limitFor(type: GgmlType, { largestLogit, gelu }: { largestLogit: number; gelu: boolean }): number {
  if (type === "F32" && !gelu) return FLOAT32_LIMIT;
  return 2 * Math.sqrt(2 * 15) * ROUNDING[type === "F32" ? "F16" : type] * largestLogit;
}

for (const { name, numbers = name, beside, gelu = false } of CASES) {
  const ignore = !wantsLlamaCpp() || (beside === true && besideCheckout(`fixtures/${name}`).isAbsent);
  const pathOf = (name: string) => beside ? besideCheckout(`fixtures/${name}`).path : fixturePath(name);
  Deno.test({ name: `llama.cpp computes the log-probs of ${name} that PyTorch does`, ignore }, async () => {
    const expected = JSON.parse(await Deno.readTextFile(`${pathOf(numbers)}/expected.json`));
    const { policy }: Expectation = expected;
    const batch: Expectation["batch"] = expected.batch ??
      JSON.parse(await Deno.readTextFile(`${pathOf("llama-gqa")}/expected.json`)).batch;
    const model = await Deno.makeTempDir();
    const { vocab_size } = JSON.parse(await Deno.readTextFile(`${pathOf(name)}/config.json`));
    await copyModel(pathOf(name), model, placeholderTokenizer(vocab_size));
    const exact = policy.logits.map(logSoftmax);
    const largestLogit = Math.max(...policy.logits.flat().map(Math.abs));
    for (const type of TYPES) {
      const { logits } = await exportAndEvaluate(model, { type, sequences: batch.sequences });
      const rows = logits.map((rows) => rows.map(logSoftmax));
      const errors = batch.sequences.flatMap((ids, s) => {
        const first = batch.prompt_lengths[s]!;
        return ids.slice(first).map((id, i) =>
          Math.abs(rows[s]![first + i - 1]![id]! - policy.token_logps[s]![i]!)
        );
      });
      const whole = rows[batch.logits_sequence]!;
      const distances = whole.map((row, t) =>
        row.reduce((most, x, v) => Math.max(most, Math.abs(x - exact[t]![v]!)), 0)
      );
      const worst = Math.max(...errors, ...distances);
      const kl = whole.reduce((sum, row, t) => sum + divergence(exact[t]!, row), 0) / whole.length;
      const limit = limitFor(type, { largestLogit, gelu });
      const figures = `${worst.toExponential(1)} (limit ${limit.toExponential(1)}), KL ${
        kl.toExponential(1)
      }`;
      console.log(`${name} ${type}: log-probs off by at most ${figures}`);
      assert(worst <= limit, `${name} ${type}: ${worst}`);
    }
    await Deno.remove(model, { recursive: true });
  });
}

const BYTES = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const WORDS = { ...BYTES, use_regex: true };
// As tokenizer.json of Llama 3 and of Qwen 2 have them.
const LLAMA_3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN_2 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
const sequence = (...pretokenizers: unknown[]) => ({ type: "Sequence", pretokenizers });

const SPLITTING: Readonly<Record<string, { preTokenizer: unknown; ignoreMerges?: boolean }>> = {
  "gpt-2": { preTokenizer: WORDS },
  "smollm": { preTokenizer: sequence({ type: "Digits", individual_digits: true }, WORDS) },
  "llama-bpe": { preTokenizer: sequence(split(LLAMA_3), BYTES), ignoreMerges: true },
  "dbrx": { preTokenizer: sequence(split(LLAMA_3), BYTES) },
  "qwen2": { preTokenizer: sequence(split(QWEN_2), BYTES) },
};

for (const [name, options] of Object.entries(SPLITTING)) {
  Deno.test({
    name: `llama.cpp splits texts into the tokens of a byte-level tokenizer: ${name}`,
    ignore: !wantsLlamaCpp(),
  }, async () => {
    // For the step "Digits" @huggingface/tokenizers knows ASCII's digits only, the tokenizers in Rust and llama.cpp all.
    const hasOtherDigits = /(?![0-9])\p{N}/u;
    const texts = variedTexts(600, ["<|begin|>", "<|end|>", "[tool]"])
      .filter((text) => name !== "smollm" || !hasOtherDigits.test(text));
    const files = byteLevelTokenizer(texts.join("\n"), { merges: 400, ...options });
    const tokenizer = loadTokenizer(files);
    const model = await Deno.makeTempDir();
    await copyModel(fixturePath("llama-gqa"), model, files);
    await growVocabulary(model, tokenizer.vocabularySize);
    const { tokens } = await exportAndEvaluate(model, { type: "F32", texts });
    texts.forEach((text, i) => assertEquals(tokens[i], [...tokenizer.encode(text)], JSON.stringify(text)));
    await Deno.remove(model, { recursive: true });
  });
}

/** Replaces a model by one with another number of tokens, all of whose weights are zero. */
async function growVocabulary(path: string, size: number): Promise<void> {
  const config = { ...JSON.parse(await Deno.readTextFile(`${path}/config.json`)), vocab_size: size };
  const { llamaTensors, parseLlamaConfig, writeModelDirectory } = await import("@tr/align/models");
  const tensors = llamaTensors(parseLlamaConfig(config, { name: path })).map((tensor) => ({
    ...tensor,
    read: (_: number, count: number) => Promise.resolve(new Float32Array(count)),
  }));
  await writeModelDirectory(`${path}/grown`, { config, tensors, dtype: "F32" });
  for (const file of ["config.json", "model.safetensors"]) {
    await Deno.rename(`${path}/grown/${file}`, `${path}/${file}`);
  }
}
