/**
 * The parts of a `tokenizer.json` that both kinds of tokenizer have in a GGUF file.
 *
 * @module
 */

/** llama.cpp's numbers for the kinds of tokens. */
export const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** The tokens of a model by id, every id with a text that no other has. */
export interface TokenList {
  /** Each token as the vocabulary spells it. */
  readonly texts: readonly string[];
  /** Each token's kind, one of {@linkcode TOKEN_TYPES}. */
  readonly types: readonly number[];
  /** The id of each text. */
  readonly ids: ReadonlyMap<string, number>;
}

/** A token that is looked for in the text before anything else. */
export interface AddedToken {
  /** Its id. */
  readonly id: number;
  /** Its text. */
  readonly content: string;
  /** Whether decoding may leave it out. */
  readonly special: boolean;
  /** Whether it takes in spaces beside it. */
  readonly strips: boolean;
}

/** A byte-pair-encoding model. */
export interface BytePairs {
  /** Ids by text. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Pairs of texts that are joined, the first ones first. */
  readonly merges: readonly (readonly [string, string])[];
  /** The token of what is not in the vocabulary. */
  readonly unknownToken: string | null;
  /** Whether characters outside of the vocabulary become tokens of their bytes. */
  readonly byteFallback: boolean;
  /** Whether a word that is in the vocabulary is taken as it is, whatever the merges say. */
  readonly ignoreMerges: boolean;
}

/** What makes metadata of one kind of tokenizer is given. */
export interface TokenizerParts {
  /** The parsed `tokenizer.json`. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Its model. */
  readonly bpe: BytePairs;
  /** All tokens. */
  readonly list: TokenList;
}

/**
 * Reads the model of a `tokenizer.json`.
 *
 * @throws {Error} if it isn't byte-pair encoding, or is of a kind that llama.cpp hasn't
 */
export function readBpe(json: Readonly<Record<string, unknown>>): BytePairs {
  const model = json["model"];
  const type = isObject(model) ? model["type"] ?? "BPE" : undefined;
  if (!isObject(model) || type !== "BPE" || !isObject(model["vocab"]) || !Array.isArray(model["merges"])) {
    throw new Error(
      `tokenizer.json: its model is ${JSON.stringify(type)}; only BPE tokenizers can be exported to GGUF`,
    );
  }
  for (const key of ["continuing_subword_prefix", "end_of_word_suffix", "dropout"]) {
    if (model[key]) {
      throw new Error(
        `tokenizer.json: model.${key} is ${JSON.stringify(model[key])}, which llama.cpp doesn't know`,
      );
    }
  }
  return {
    vocabulary: new Map(Object.entries(model["vocab"] as Record<string, number>)),
    merges: model["merges"].map(parseMerge),
    unknownToken: typeof model["unk_token"] === "string" ? model["unk_token"] : null,
    byteFallback: model["byte_fallback"] === true,
    ignoreMerges: model["ignore_merges"] === true,
  };
}

/** Reads the added tokens of a `tokenizer.json`. */
export function readAddedTokens(json: Readonly<Record<string, unknown>>): AddedToken[] {
  const list = json["added_tokens"];
  return (Array.isArray(list) ? list : []).filter(isObject).map((token) => ({
    id: token["id"] as number,
    content: token["content"] as string,
    special: token["special"] === true,
    strips: token["lstrip"] === true || token["rstrip"] === true,
  }));
}

/** The steps of a normalizer or pre-tokenizer, taken out of sequences; none for null. */
export function stepsOf(value: unknown): Readonly<Record<string, unknown>>[] {
  if (!isObject(value)) return [];
  const inner = value["normalizers"] ?? value["pretokenizers"];
  return value["type"] === "Sequence" && Array.isArray(inner) ? inner.flatMap(stepsOf) : [value];
}

function parseMerge(merge: unknown): readonly [string, string] {
  const [left, right] = typeof merge === "string" ? merge.split(" ") : merge as string[];
  if (typeof left === "string" && typeof right === "string") return [left, right];
  throw new Error(
    `tokenizer.json: the merge ${JSON.stringify(merge)} is not a pair of texts; fetch it again`,
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
