/** The text that begins every sequence. */
export const BOS = "<s>";
/** The text that ends every sequence. */
export const EOS = "</s>";
/** What a word outside the vocabulary becomes. */
export const UNKNOWN = "<unk>";

/** A tokenizer as the two JSON files of a Hugging Face model directory. */
export interface TokenizerFiles {
  /** Content of `tokenizer.json`. */
  tokenizerJson: Record<string, unknown>;
  /** Content of `tokenizer_config.json`. */
  tokenizerConfig: Record<string, unknown>;
}

/**
 * Writes down a tokenizer with one token per word and per punctuation mark of some texts.
 *
 * The model type is WordPiece with whole words only: a word is either in the vocabulary or unknown. Spaces are not
 * tokens, so nothing can merge across the end of a prompt, and decoding puts them back where English wants them.
 */
export function wordTokenizer(texts: readonly string[]): TokenizerFiles {
  const vocabulary = wordVocabulary(texts);
  const addedToken = (content: string) => ({
    id: vocabulary[content],
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    tokenizerJson: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: [BOS, EOS, UNKNOWN].map(addedToken),
      normalizer: null,
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: BOS, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
        pair: [
          { SpecialToken: { id: BOS, type_id: 0 } },
          { Sequence: { id: "A", type_id: 0 } },
          { Sequence: { id: "B", type_id: 0 } },
        ],
        special_tokens: { [BOS]: { id: BOS, ids: [vocabulary[BOS]], tokens: [BOS] } },
      },
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "WordPiece", prefix: "##", cleanup: true }, // joins "Anna" and "." to "Anna."
          { type: "Replace", pattern: { String: " :" }, content: ":" }, // the one mark that WordPiece leaves apart
        ],
      },
      model: {
        type: "WordPiece",
        unk_token: UNKNOWN,
        continuing_subword_prefix: "##",
        max_input_chars_per_word: 100,
        vocab: vocabulary,
      },
    },
    tokenizerConfig: {
      tokenizer_class: "PreTrainedTokenizerFast",
      bos_token: BOS,
      eos_token: EOS,
      unk_token: UNKNOWN,
      add_bos_token: true,
      add_eos_token: false,
      clean_up_tokenization_spaces: true,
      model_max_length: 128,
    },
  };
}

/** Returns every token and its id: the three special ones first, then words and marks in sorted order. */
export function wordVocabulary(texts: readonly string[]): Record<string, number> {
  const words = new Set(texts.flatMap((text) => text.match(/\w+|[^\w\s]/g) ?? []));
  return Object.fromEntries([BOS, EOS, UNKNOWN, ...[...words].sort()].map((word, id) => [word, id]));
}
