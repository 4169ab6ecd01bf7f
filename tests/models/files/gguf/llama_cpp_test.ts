/**
 * Exported files in llama.cpp. This fetches node-llama-cpp with npm, so it runs only on request:
 *
 *     TR_ALIGN_LLAMA_CPP=1 deno task test tests/models/files/gguf/llama_cpp_test.ts
 */
import { assert, assertEquals } from "@std/assert";
import { loadTokenizer } from "../../../../data/tokenizer.ts";
import type { GgmlType } from "../../../../models/files/gguf/tensor_types.ts";
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
  /** llama.cpp looks GELU up in a table of float16 numbers, so float32 files can't do better than float16. */
  gelu?: true;
}
const CASES: readonly Case[] = [
  { name: "llama-gqa" },
  { name: "llama-gqa-bf16" },
  { name: "llama3-rope" },
  { name: "mistral" },
  { name: "qwen2" },
  { name: "qwen3" },
  { name: "gpt2", gelu: true },
  { name: "gpt2-hub-names", numbers: "gpt2", gelu: true },
  { name: "gpt_neox", gelu: true },
  { name: "gpt_neox-hub-buffers", numbers: "gpt_neox", gelu: true },
];

const FLOAT32_LIMIT = 1e-4; // as the fixtures suggest it for float32
const ROUNDING = { F16: 2 ** -11, BF16: 2 ** -8 }; // largest relative error of one
const WRONG = 0.8; // the fixtures' README: what any mistake of layout, order or scaling moves logits by at least

// In each of the 15 products between input and logits (7 a layer, and the head) ggml rounds weights and activations to
// the file's type; GELU's table rounds what goes in and what comes out, in two layers. Independent errors add up by
// their squares; two logits make a log-prob. 8-bit errors don't fit this picture (they come with a block's largest
// number): their bytes are checked in q8_0_test.ts, here only that nothing is in the wrong place, and KL is reported.
function limitFor(type: GgmlType, { largestLogit, gelu }: { largestLogit: number; gelu: boolean }): number {
  if (type === "Q8_0") return WRONG;
  if (type === "F32" && !gelu) return FLOAT32_LIMIT;
  return 2 * Math.sqrt(type === "F32" ? 4 : 30) * ROUNDING[type === "F32" ? "F16" : type] * largestLogit;
}

for (const { name, numbers = name, gelu = false } of CASES) {
  const ignore = !wantsLlamaCpp();
  Deno.test({ name: `llama.cpp computes the log-probs of ${name} that PyTorch does`, ignore }, async () => {
    const expected = JSON.parse(await Deno.readTextFile(`${fixturePath(numbers)}/expected.json`));
    const { policy }: Expectation = expected;
    const batch: Expectation["batch"] = expected.batch ??
      JSON.parse(await Deno.readTextFile(`${fixturePath("llama-gqa")}/expected.json`)).batch;
    const model = await Deno.makeTempDir();
    const { vocab_size } = JSON.parse(await Deno.readTextFile(`${fixturePath(name)}/config.json`));
    await copyModel(fixturePath(name), model, placeholderTokenizer(vocab_size));
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
  const { modelTensors, parseModelConfig, writeModelDirectory } = await import("@tr/align/models");
  const tensors = modelTensors(parseModelConfig(config, { name: path })).map((tensor) => ({
    ...tensor,
    read: (_: number, count: number) => Promise.resolve(new Float32Array(count)),
  }));
  await writeModelDirectory(`${path}/grown`, { config, tensors, dtype: "F32" });
  for (const file of ["config.json", "model.safetensors"]) {
    await Deno.rename(`${path}/grown/${file}`, `${path}/${file}`);
  }
}
