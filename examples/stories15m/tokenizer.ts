/** The vocabulary of Llama 2, as llama2.c keeps it, as a `tokenizer.json`. */

const SPECIAL = ["<unk>", "<s>", "</s>"];
const BYTE_TOKENS = 256;
const SPACE = "▁";

/** A token with the score that says how soon it is put together. */
export interface ScoredToken {
  /** Its text, with spaces. */
  text: string;
  /** The higher, the sooner. */
  score: number;
}

/**
 * Reads llama2.c's `tokenizer.bin`: the length of the longest token, then score, length and text of each.
 *
 * @throws {Error} if there are other than `size` tokens
 */
export function readTokenizerBin(bytes: Uint8Array<ArrayBuffer>, size: number): ScoredToken[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tokens: ScoredToken[] = [];
  for (let at = 4; at + 8 <= bytes.length;) {
    const [score, length] = [view.getFloat32(at, true), view.getInt32(at + 4, true)];
    tokens.push({ text: new TextDecoder().decode(bytes.subarray(at + 8, at + 8 + length)), score });
    at += 8 + length;
  }
  if (tokens.length !== size) throw new Error(`the vocabulary has ${tokens.length} tokens, not ${size}`);
  return tokens;
}

/**
 * Makes the files of a tokenizer that splits texts as llama2.c's and SentencePiece's do.
 *
 * SentencePiece joins the neighbours whose joint token has the highest score, the leftmost of equals. A
 * `tokenizer.json` has ranked pairs instead: all pairs that make a token, by its score. The only tokens with equal
 * scores are runs of spaces; joining the leftmost of those means to add single spaces to a run until it is the
 * longest one, so a run's only merge is with one more space, the longer run first.
 */
export function sentencePieceTokenizer(
  bytes: Uint8Array<ArrayBuffer>,
  { size, maxLength }: { size: number; maxLength: number },
): { tokenizerJson: Record<string, unknown>; tokenizerConfig: Record<string, unknown> } {
  const tokens = readTokenizerBin(bytes, size);
  const texts = tokens.map(({ text }, id) => {
    if (id < SPECIAL.length) return SPECIAL[id]!;
    const byte = id - SPECIAL.length;
    if (byte < BYTE_TOKENS) return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    return text.replaceAll(" ", SPACE);
  });
  const scores = new Map(texts.map((text, id) => [text, tokens[id]!.score]));
  const firstPiece = SPECIAL.length + BYTE_TOKENS;
  const merges = texts.slice(firstPiece).flatMap((text) => pairsOf(text, scores));
  const rank = ([left, right]: [string, string]) => scores.get(left + right)!;
  merges.sort((a, b) => rank(b) - rank(a) || b[0].length - a[0].length);

  const addedToken = (content: string, id: number) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const [unknown, bos, eos] = SPECIAL as [string, string, string];
  return {
    tokenizerJson: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: SPECIAL.map(addedToken),
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: SPACE },
          { type: "Replace", pattern: { String: " " }, content: SPACE },
        ],
      },
      pre_tokenizer: null,
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: bos, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
        pair: [
          { SpecialToken: { id: bos, type_id: 0 } },
          { Sequence: { id: "A", type_id: 0 } },
          { Sequence: { id: "B", type_id: 0 } },
        ],
        special_tokens: { [bos]: { id: bos, ids: [1], tokens: [bos] } },
      },
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: SPACE }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 },
        ],
      },
      model: {
        type: "BPE",
        unk_token: unknown,
        fuse_unk: true,
        byte_fallback: true,
        vocab: Object.fromEntries(texts.map((text, id) => [text, id])),
        merges,
      },
    },
    tokenizerConfig: {
      tokenizer_class: "LlamaTokenizer",
      bos_token: bos,
      eos_token: eos,
      unk_token: unknown,
      add_bos_token: true,
      add_eos_token: false,
      legacy: true,
      clean_up_tokenization_spaces: false,
      model_max_length: maxLength,
    },
  };
}

function pairsOf(text: string, vocabulary: ReadonlyMap<string, number>): [string, string][] {
  const isRun = [...text].every((character) => character === SPACE);
  const pairs: [string, string][] = [];
  let left = "";
  for (const character of text) {
    const right = text.slice(left.length);
    const isPair = left !== "" && vocabulary.has(left) && vocabulary.has(right);
    if (isPair && (!isRun || right === SPACE)) pairs.push([left, right]);
    left += character;
  }
  return pairs;
}
