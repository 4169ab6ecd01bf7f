/** Small tokenizers and templates for the tests of `data`. */
import { loadTokenizer, type Tokenizer, type TokenizerFiles } from "@tr/align/data";

/** Files of an alignment data set or model that lie beside the checkout on some machines; tests skip without them. */
export function besideCheckout(path: string): { path: string; isAbsent: boolean } {
  const full = new URL(`../../../shared/${path}`, import.meta.url).pathname;
  try {
    Deno.statSync(full);
    return { path: full, isAbsent: false };
  } catch {
    return { path: full, isAbsent: true };
  }
}

/** Special tokens by id: 0 `<s>`, 1 `</s>`, 2 `<|im_start|>`, 3 `<|im_end|>`, 4 `<pad>`. */
const SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<pad>"];
/** One token a character from id 5, then two that join `a` and `b`, or a space and `b`. */
const CHARACTERS = [..." \nabcdefghijklmnopqrstuvwxyz.:?!ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789|<>_/"];
const VOCABULARY = [...SPECIAL, ...CHARACTERS, "ab", " b"];

/** The id of a token of {@linkcode characterTokenizer}. */
export function idOf(token: string): number {
  return VOCABULARY.indexOf(token);
}

/** The ids of a text's characters, none merged. */
export function idsOf(text: string): number[] {
  return [...text].map(idOf);
}

/** A tokenizer of characters, five special tokens and the merges `ab` and ` b`. */
export function characterTokenizer(
  config: { [key: string]: unknown } = {},
  files: Partial<TokenizerFiles> & { postProcessor?: unknown } = {},
): Tokenizer {
  const { postProcessor = null, ...others } = files;
  return loadTokenizer({
    tokenizerJson: {
      added_tokens: SPECIAL.map((content, id) => ({ id, content, special: true, normalized: false })),
      post_processor: postProcessor,
      model: {
        type: "BPE",
        vocab: Object.fromEntries(VOCABULARY.map((token, id) => [token, id])),
        merges: [["a", "b"], [" ", "b"]],
      },
      decoder: { type: "Fuse" },
    },
    tokenizerConfig: { bos_token: "<s>", eos_token: "</s>", ...config },
    ...others,
  });
}

/** What makes `<s>` the first token of every text. */
export const BOS_PROCESSOR = {
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
  pair: [],
  special_tokens: { "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] } },
};

/** The ChatML template: each turn is followed by an end-of-turn token and a line break. */
export const CHATML = "{% for message in messages %}" +
  "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** The Llama 3 template as its authors published it, which writes BOS itself. */
export const LLAMA3 = "{% set loop_messages = messages %}{% for message in loop_messages %}" +
  "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'" +
  "+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}" +
  "{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}" +
  "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";
