/**
 * Byte-level BPE (GPT-2, Llama 3, Qwen) as llama.cpp's tokenizer `gpt2`.
 *
 * llama.cpp has the rules by which texts are split into words as named functions; the name goes into
 * `tokenizer.ggml.pre`. The table below gives the name of a rule by its regular expression in `tokenizer.json`.
 *
 * @module
 */
import type { GgufMetadata } from "./format.ts";
import { stepsOf, type TokenizerParts } from "./tokenizer_json.ts";

/** A rule of splitting: what is done before the byte-level step, and what that step does. */
interface SplittingRule {
  /** The regular expression of a `Split`, or `Digits` for the step that isolates them; none for neither. */
  before: string | null;
  /** Whether the byte-level step splits by GPT-2's expression. */
  byteLevelSplits: boolean;
  /** Whether words that are tokens are taken whole. */
  ignoreMerges: boolean;
  /** llama.cpp's name of it. */
  name: string;
}

const LLAMA_3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN_2 = LLAMA_3.replace("\\p{N}{1,3}", "\\p{N}");
const DIGITS = "Digits";

const RULES: readonly SplittingRule[] = [
  { name: "gpt-2", before: null, byteLevelSplits: true, ignoreMerges: false },
  { name: "smollm", before: DIGITS, byteLevelSplits: true, ignoreMerges: false },
  { name: "llama-bpe", before: LLAMA_3, byteLevelSplits: false, ignoreMerges: true },
  { name: "dbrx", before: LLAMA_3, byteLevelSplits: false, ignoreMerges: false },
  { name: "qwen2", before: QWEN_2, byteLevelSplits: false, ignoreMerges: false },
];

/** The part of the metadata that only byte-level tokenizers have. */
export function byteLevelMetadata(
  { json, bpe, list }: TokenizerParts,
): { metadata: GgufMetadata; notes: string[] } {
  const rule = findRule(json["pre_tokenizer"], bpe.ignoreMerges);
  return {
    metadata: {
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": rule.name,
      "tokenizer.ggml.merges": bpe.merges.map(([left, right]) => `${left} ${right}`),
    },
    notes: [...normalizerNotes(json["normalizer"]), ...missingByteNotes(list.ids)],
  };
}

function findRule(preTokenizer: unknown, ignoreMerges: boolean): SplittingRule {
  const steps = stepsOf(preTokenizer);
  const last = steps.at(-1);
  const before = steps.length === 1 ? null : steps.length === 2 ? describeStep(steps[0]!) : undefined;
  const byteLevelSplits = last?.["use_regex"] !== false;
  const rule = last?.["type"] === "ByteLevel" && last["add_prefix_space"] !== true
    ? RULES.find((rule) =>
      rule.before === before && rule.byteLevelSplits === byteLevelSplits && rule.ignoreMerges === ignoreMerges
    )
    : undefined;
  if (rule) return rule;
  throw new Error(
    `tokenizer.json: pre_tokenizer ${JSON.stringify(preTokenizer ?? null)}` +
      `${ignoreMerges ? " with ignore_merges" : ""} is none of those known by name in llama.cpp: ` +
      `${RULES.map(({ name }) => name).join(", ")}; the file would tokenize differently`,
  );
}

function describeStep(step: Readonly<Record<string, unknown>>): string | undefined {
  if (step["type"] === "Digits" && step["individual_digits"] === true) return DIGITS;
  const pattern = step["pattern"] as { Regex?: string } | undefined;
  const isIsolated = step["behavior"] === "Isolated" && step["invert"] !== true;
  return step["type"] === "Split" && isIsolated ? pattern?.Regex : undefined;
}

function normalizerNotes(normalizer: unknown): string[] {
  const types = stepsOf(normalizer).map((step) => step["type"]);
  const other = types.find((type) => type !== "NFC");
  if (other !== undefined) {
    throw new Error(`tokenizer.json: the normalizer ${JSON.stringify(other)} is not known to llama.cpp`);
  }
  return types.length === 0 ? [] : [
    "llama.cpp doesn't compose characters (NFC) as the tokenizer does: texts with combining marks get other tokens",
  ];
}

function missingByteNotes(ids: ReadonlyMap<string, number>): string[] {
  const missing = byteSymbols().filter((symbol) => !ids.has(symbol)).length;
  if (missing === 0) return [];
  return [`the vocabulary has no token for ${missing} of the 256 bytes, which llama.cpp leaves out of texts`];
}

/** The character that stands for each byte: itself where it is printable, one from U+0100 on where it isn't. */
export function byteSymbols(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
}
