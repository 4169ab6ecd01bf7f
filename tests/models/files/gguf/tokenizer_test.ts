import { assertEquals, assertThrows } from "@std/assert";
import { ggufTokenizer } from "../../../../models/files/gguf/tokenizer.ts";
import { byteLevelTokenizer, type TokenizerJsons } from "./tokenizers.ts";

const BYTES = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
const WORDS = { ...BYTES, use_regex: true };
const GPT_2 = byteLevelTokenizer("the cat and the dog and the", { preTokenizer: WORDS, merges: 6 });

/** A SentencePiece-like tokenizer: special tokens, bytes, then the pieces with the merges that make them. */
function sentencePiece(changes: {
  pieces?: string[];
  merges?: unknown[];
  model?: Record<string, unknown>;
  json?: Record<string, unknown>;
  config?: Record<string, unknown>;
} = {}): TokenizerJsons {
  const { pieces = ["ab", "abc", "▁a", "▁", "a", "b", "c"], merges = ["a b", "ab c", "▁ a"] } = changes;
  const special = ["<unk>", "<s>", "</s>"];
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  const texts = [...special, ...bytes, ...pieces];
  return {
    tokenizerJson: {
      added_tokens: special.map((content, id) => ({ id, content, special: true })),
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "▁" },
          { type: "Replace", pattern: { String: " " }, content: "▁" },
        ],
      },
      pre_tokenizer: null,
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      },
      model: {
        type: "BPE",
        byte_fallback: true,
        unk_token: "<unk>",
        vocab: Object.fromEntries(texts.map((text, id) => [text, id])),
        merges,
        ...changes.model,
      },
      ...changes.json,
    },
    tokenizerConfig: {
      bos_token: "<s>",
      eos_token: { content: "</s>" },
      unk_token: "<unk>",
      ...changes.config,
    },
  };
}

const KEY = "tokenizer.ggml.";
const convert = (files: TokenizerJsons, options: { size?: number; eosTokenIds?: number[] } = {}) => {
  const { model } = files.tokenizerJson as { model: { vocab: object } };
  const vocabularySize = options.size ?? Object.keys(model.vocab).length + 3;
  return ggufTokenizer({ ...files, vocabularySize, ...options });
};

Deno.test("ggufTokenizer writes SentencePiece's tokens with scores that keep the order of the merges", () => {
  const { metadata, notes } = convert(sentencePiece(), { size: 268 });
  assertEquals(notes, []);
  assertEquals(metadata[`${KEY}model`], "llama");
  const [texts, types] = [metadata[`${KEY}tokens`] as string[], metadata[`${KEY}token_type`] as Int32Array];
  assertEquals(texts.slice(0, 4), ["<unk>", "<s>", "</s>", "<0x00>"]);
  assertEquals(texts.slice(259), ["ab", "abc", "▁a", "▁", "a", "b", "c", "[PAD266]", "[PAD267]"]);
  // llama.cpp: 1 normal, 2 unknown, 3 control, 5 unused, 6 byte.
  assertEquals([...types.slice(0, 4), ...types.slice(258)], [2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1, 1, 5, 5]);
  assertEquals([...(metadata[`${KEY}scores`] as Float32Array).slice(259, 262)], [-0, -1, -2]);
  assertEquals(metadata[`${KEY}add_space_prefix`], true);
  assertEquals(metadata[`${KEY}add_bos_token`], true);
  assertEquals(metadata[`${KEY}add_eos_token`], false);
  assertEquals(metadata[`${KEY}bos_token_id`], { uint32: 1 });
  assertEquals(metadata[`${KEY}eos_token_id`], { uint32: 2 });
  assertEquals(metadata[`${KEY}unknown_token_id`], { uint32: 0 });
  assertEquals(`${KEY}padding_token_id` in metadata, false);
});

Deno.test("ggufTokenizer writes byte-level tokens with merges and the name of the splitting rule", () => {
  const { metadata, notes } = convert(GPT_2);
  assertEquals(notes, []);
  assertEquals(metadata[`${KEY}model`], "gpt2");
  assertEquals(metadata[`${KEY}pre`], "gpt-2");
  assertEquals((metadata[`${KEY}merges`] as string[]).length, 6);
  assertEquals((metadata[`${KEY}merges`] as string[])[0], "t h");
  const types = metadata[`${KEY}token_type`] as Int32Array;
  assertEquals([...types.slice(-4)], [1, 3, 3, 4]); // a merge, two special tokens, one added by a user
  assertEquals(metadata[`${KEY}add_bos_token`], false);
});

const LLAMA_3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
const steps = (...pretokenizers: unknown[]) => ({ type: "Sequence", pretokenizers });
const named = (preTokenizer: unknown, ignoreMerges = false) =>
  convert(byteLevelTokenizer("a b", { preTokenizer, merges: 1, ignoreMerges })).metadata[`${KEY}pre`];

Deno.test("ggufTokenizer names the rules of the families", () => {
  assertEquals(named(WORDS), "gpt-2");
  assertEquals(named(steps({ type: "Digits", individual_digits: true }, WORDS)), "smollm");
  assertEquals(named(steps(split(LLAMA_3), BYTES), true), "llama-bpe");
  assertEquals(named(steps(split(LLAMA_3), BYTES)), "dbrx");
  assertEquals(named(steps(split(LLAMA_3.replace("{1,3}", "")), BYTES)), "qwen2");
});

Deno.test("ggufTokenizer refuses splitting rules that llama.cpp hasn't by name", () => {
  for (
    const rule of [
      null,
      BYTES,
      { ...WORDS, add_prefix_space: true },
      steps(split("\\s+"), BYTES),
      steps({ ...split(LLAMA_3), behavior: "Removed" }, BYTES),
      steps({ type: "Digits", individual_digits: false }, WORDS),
      { type: "Whitespace" },
    ]
  ) assertThrows(() => named(rule), Error, "is none of those known by name in llama.cpp");
  assertThrows(() => named(WORDS, true), Error, "with ignore_merges");
});

Deno.test("ggufTokenizer refuses tokenizers that llama.cpp has no counterpart of", () => {
  const refuse = (files: TokenizerJsons, message: string) =>
    assertThrows(() => convert(files), Error, message);
  const model = { type: "WordPiece" };
  refuse(sentencePiece({ model }), `its model is "WordPiece"; only BPE`);
  refuse(sentencePiece({ model: { end_of_word_suffix: "</w>" } }), `model.end_of_word_suffix is "</w>"`);
  refuse(sentencePiece({ model: { ignore_merges: true } }), "ignore_merges together with byte_fallback");
  refuse(sentencePiece({ model: { vocab: { a: 0 }, merges: [] } }), "0 of the 256 byte tokens");
  refuse(sentencePiece({ json: { normalizer: { type: "NFKC" } } }), `the step {"type":"NFKC"} is not one`);
  refuse(sentencePiece({ json: { normalizer: null } }), "spaces don't become ▁");
  refuse(sentencePiece({ merges: ["a b", "▁ a"] }), `every pair of tokens that makes "abc" is a merge`);
  refuse(
    sentencePiece({
      pieces: ["ab", "bc", "abc", "▁", "a", "b", "c"],
      merges: ["a bc", "a b", "b c", "ab c"],
    }),
    `merges that make "abc" lie apart`,
  );
  refuse(sentencePiece({ merges: ["a b", "a"] }), `the merge "a" is not a pair`);
  const lower = { ...GPT_2, tokenizerJson: { ...GPT_2.tokenizerJson, normalizer: { type: "Lowercase" } } };
  refuse(lower, `the normalizer "Lowercase" is not known`);
  assertThrows(() => convert(sentencePiece(), { size: 100 }), Error, "ids up to 265, but vocab_size");
});

Deno.test("ggufTokenizer takes runs of spaces whose merges join them from the left", () => {
  const pieces = ["▁▁▁▁", "▁▁▁", "▁▁", "▁"];
  const { metadata } = convert(sentencePiece({ pieces, merges: ["▁▁▁ ▁", "▁▁ ▁", "▁ ▁"] }));
  assertEquals([...(metadata[`${KEY}scores`] as Float32Array).slice(259, 262)], [-0, -1, -2]);
  // Pairs first makes two and two of four, which only a score would join.
  const files = sentencePiece({ pieces, merges: ["▁ ▁", "▁▁ ▁", "▁▁▁ ▁"] });
  assertThrows(() => convert(files), Error, `4 "▁" in a row would become other tokens`);
});

Deno.test("ggufTokenizer refuses two ids with one text, which makes llama.cpp stop", () => {
  const files = sentencePiece();
  const added = files.tokenizerJson["added_tokens"] as unknown[];
  added.push({ id: 266, content: "abc", special: false });
  assertThrows(() => convert(files, { size: 267 }), Error, `ids 260 and 266 are both "abc"`);
});

Deno.test("ggufTokenizer says where llama.cpp's tokens differ", () => {
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false };
  const first = convert(sentencePiece({ json: { normalizer: null, pre_tokenizer: metaspace } }));
  assertEquals(first.metadata[`${KEY}add_space_prefix`], true);
  assertEquals(first.notes.length, 2);
  const never = { ...metaspace, prepend_scheme: "never" };
  const none = convert(sentencePiece({ json: { normalizer: null, pre_tokenizer: never } }));
  assertEquals([none.metadata[`${KEY}add_space_prefix`], none.notes.length], [false, 0]);
  const composing = { ...GPT_2, tokenizerJson: { ...GPT_2.tokenizerJson, normalizer: { type: "NFC" } } };
  assertEquals(convert(composing).notes[0]!.includes("NFC"), true);
  const stripping = sentencePiece({
    json: { added_tokens: [{ id: 2, content: "</s>", special: true, rstrip: true }] },
  });
  assertEquals(convert(stripping).notes[0]!.includes("</s>"), true);
});

Deno.test("ggufTokenizer takes BOS, EOS and what ends a turn from the configuration first", () => {
  const config = { add_bos_token: false, add_eos_token: true, pad_token: "</s>" };
  const { metadata } = convert(sentencePiece({ config }), { eosTokenIds: [2, 260, 261] });
  assertEquals(metadata[`${KEY}add_bos_token`], false);
  assertEquals(metadata[`${KEY}add_eos_token`], true);
  assertEquals(metadata[`${KEY}padding_token_id`], { uint32: 2 });
  assertEquals(metadata[`${KEY}eot_token_id`], { uint32: 260 });
  assertEquals(metadata[`${KEY}eom_token_id`], { uint32: 261 });
});

Deno.test("ggufTokenizer keeps chat templates: one, several by name, or another in their place", () => {
  const template = (chat_template: unknown, chatTemplate?: string) => {
    const files = sentencePiece({ config: { chat_template } });
    const options = { ...files, vocabularySize: 266, ...(chatTemplate ? { chatTemplate } : {}) };
    const { metadata } = ggufTokenizer(options);
    return Object.fromEntries(Object.entries(metadata).filter(([key]) => key.includes("chat_template")));
  };
  assertEquals(template(undefined), {});
  assertEquals(template("{{ 1 }}"), { "tokenizer.chat_template": "{{ 1 }}" });
  assertEquals(template("{{ 1 }}", "{{ 2 }}"), { "tokenizer.chat_template": "{{ 2 }}" });
  assertEquals(template([{ name: "default", template: "d" }, { name: "tool_use", template: "t" }]), {
    "tokenizer.chat_template": "d",
    "tokenizer.chat_template.tool_use": "t",
    "tokenizer.chat_templates": ["tool_use"],
  });
});
