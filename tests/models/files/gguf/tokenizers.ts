/** Small tokenizers for the tests of the export. */
import { byteSymbols } from "../../../../models/files/gguf/byte_level.ts";

/** GPT-2's words, by the expression that OpenAI published with it. */
const GPT_2 = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Files of a tokenizer. */
export interface TokenizerJsons {
  tokenizerJson: Record<string, unknown>;
  tokenizerConfig: Record<string, unknown>;
}

/** A tokenizer with `size` tokens, some byte symbols and special tokens, for models that have none. */
export function placeholderTokenizer(size: number): TokenizerJsons {
  const special = ["<pad>", "<s>", "</s>"];
  const texts = [...special, ...byteSymbols().slice(33)].slice(0, size);
  return {
    tokenizerJson: {
      added_tokens: special.map((content, id) => ({ id, content, special: true })),
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
      model: { type: "BPE", vocab: Object.fromEntries(texts.map((text, id) => [text, id])), merges: [] },
    },
    tokenizerConfig: { bos_token: "<s>", eos_token: "</s>", pad_token: "<pad>", add_bos_token: true },
  };
}

/** A byte-level tokenizer with up to `merges` merges learned from a text, split as `preTokenizer` says. */
export function byteLevelTokenizer(
  text: string,
  { preTokenizer, merges: count, ignoreMerges = false }: {
    preTokenizer: unknown;
    merges: number;
    ignoreMerges?: boolean;
  },
): TokenizerJsons {
  const symbols = byteSymbols();
  const words = (text.match(GPT_2) ?? []).map((word) =>
    [...new TextEncoder().encode(word)].map((byte) => symbols[byte]!)
  );
  const merges = learnMerges(words, count);
  const texts = [...symbols, ...new Set(merges.map(([left, right]) => left + right))];
  const special = ["<|begin|>", "<|end|>"];
  return {
    tokenizerJson: {
      added_tokens: [
        ...special.map((content, i) => ({ id: texts.length + i, content, special: true })),
        { id: texts.length + 2, content: "[tool]", special: false },
      ],
      normalizer: null,
      pre_tokenizer: preTokenizer,
      post_processor: null,
      decoder: { type: "ByteLevel" },
      model: {
        type: "BPE",
        ignore_merges: ignoreMerges,
        vocab: Object.fromEntries(texts.map((text, id) => [text, id])),
        merges,
      },
    },
    tokenizerConfig: { bos_token: "<|begin|>", eos_token: "<|end|>", add_bos_token: false },
  };
}

function learnMerges(words: string[][], count: number): [string, string][] {
  const merges: [string, string][] = [];
  for (let i = 0; i < count; i++) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let j = 1; j < word.length; j++) {
        const pair = `${word[j - 1]} ${word[j]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const [best] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
    if (best === undefined) break;
    const [left, right] = best.split(" ") as [string, string];
    merges.push([left, right]);
    for (const word of words) {
      for (let j = 1; j < word.length; j++) {
        if (word[j - 1] === left && word[j] === right) word.splice(j - 1, 2, left + right);
      }
    }
  }
  return merges;
}

const PIECES = [
  ..."aábcdeéfghiIklmnoPqrstTuvwxyz0123456789",
  ..."\n\t\r .,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+~`",
  ..."äöüßñçÉæøłжЩяΩλ你好世界日本語한국어العربيةहिन्दीไทย",
  ..."😀👍🏽👨‍👩‍👧🇩🇪️½²ⅷ٣…—“”«»\u00a0\u2003\u200b\u3000▁",
  ...[
    " the",
    " and",
    " 'll",
    "'s",
    "'S",
    " don't",
    "Once upon a time",
    "  ",
    "    ",
    "\n\n",
    "\r\n",
    " \n",
    "12345",
    " 3.14",
  ],
  ...["tion", "Ünï", "www.example.org", "CamelCase", "snake_case", "a a a", "aaaa", "banana", "}\n\n\t"],
];

/** Texts of every kind, the same ones each time: words, spaces, line ends, digits, scripts, and `special` tokens. */
export function variedTexts(count: number, special: readonly string[]): string[] {
  let state = 1;
  const random = (limit: number) => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0; // Numerical Recipes' generator
    return Math.floor(state / 2 ** 32 * limit);
  };
  const pieces = [...PIECES, ...special];
  const fixed = [" ", "  ", "\n", " a", "a ", " a ", "a\n\nb", "1234567890", "▁", "''", ...special];
  return [
    ...fixed,
    ...Array.from({ length: count - fixed.length }, () => {
      const kind = random(3);
      const choose = () => pieces[random(pieces.length)]!;
      const one = choose();
      return Array.from(
        { length: 1 + random(30) },
        () => kind === 0 ? choose() : random(3) === 0 ? choose() : kind === 1 ? one : "e",
      ).join(random(4) === 0 ? " " : "");
    }),
  ];
}

/** A temporary directory that is removed when the tests of a file are over. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "tr_align_gguf_" });
  addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  return directory;
}
