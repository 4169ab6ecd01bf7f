/**
 * A Hugging Face tokenizer as the metadata from which llama.cpp makes its own.
 *
 * @module
 */
import { byteLevelMetadata } from "./byte_level.ts";
import type { GgufMetadata } from "./format.ts";
import { sentencePieceMetadata } from "./sentence_piece.ts";
import { type AddedToken, readAddedTokens, readBpe, TOKEN_TYPES, type TokenList } from "./tokenizer_json.ts";

/** What {@linkcode ggufTokenizer} makes metadata of. */
export interface GgufTokenizerOptions {
  /** The parsed `tokenizer.json`. */
  tokenizerJson: unknown;
  /** The parsed `tokenizer_config.json`. */
  tokenizerConfig: unknown;
  /** Text of the chat template; wins over the configuration's. */
  chatTemplate?: string | null;
  /** Tokens of the model, rows of its embedding: ids that the tokenizer lacks become unused tokens. */
  vocabularySize: number;
  /** Ids that end a text beside the tokenizer's EOS, such as the end of a turn. */
  eosTokenIds?: readonly number[];
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The tokenizer metadata of a GGUF file.
 *
 * Two kinds of `tokenizer.json` can be written: byte-level BPE (GPT-2, Llama 3, Qwen) whose splitting rule is one
 * that llama.cpp knows by name, and BPE with byte fallback as converted from SentencePiece (Llama 2, Mistral).
 *
 * @returns the metadata, and notes on texts for which llama.cpp's tokens differ
 * @throws {Error} if llama.cpp can't do what the tokenizer does; the message says what that is
 */
export function ggufTokenizer(options: GgufTokenizerOptions): { metadata: GgufMetadata; notes: string[] } {
  const json = requireObject(options.tokenizerJson, "tokenizer.json");
  const config = requireObject(options.tokenizerConfig, "tokenizer_config.json");
  const bpe = readBpe(json);
  const added = readAddedTokens(json);
  const unknown = textOf(config["unk_token"]) ?? bpe.unknownToken;
  const list = listTokens(bpe.vocabulary, { added, unknown, size: options.vocabularySize });
  const kind = bpe.byteFallback ? sentencePieceMetadata : byteLevelMetadata;
  const { metadata, notes } = kind({ json, bpe, list });
  const special = specialTokens(list, { json, config, unknown, eosTokenIds: options.eosTokenIds ?? [] });
  return {
    metadata: {
      ...metadata,
      "tokenizer.ggml.tokens": list.texts,
      "tokenizer.ggml.token_type": Int32Array.from(list.types),
      ...special,
      ...chatTemplates(config["chat_template"], options.chatTemplate ?? null),
    },
    notes: [...notes, ...strippingNotes(added)],
  };
}

function listTokens(
  vocabulary: ReadonlyMap<string, number>,
  { added, unknown, size }: { added: readonly AddedToken[]; unknown: string | null; size: number },
): TokenList {
  const texts = new Array<string | undefined>(size);
  const types = new Array<number>(size).fill(TOKEN_TYPES.unused);
  const isByte = /^<0x[0-9A-F]{2}>$/;
  for (const [text, id] of vocabulary) {
    texts[id] = text;
    types[id] = isByte.test(text) ? TOKEN_TYPES.byte : TOKEN_TYPES.normal;
  }
  for (const { id, content, special } of added) {
    texts[id] = content;
    types[id] = special ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined;
  }
  if (texts.length > size) {
    throw new Error(
      `tokenizer.json has ids up to ${texts.length - 1}, but vocab_size in config.json is ${size}; ` +
        `tokenizer and weights are of different models`,
    );
  }
  const ids = new Map<string, number>();
  const filled = Array.from(texts, (text, id) => text ?? `[PAD${id}]`);
  for (const [id, text] of filled.entries()) {
    if (ids.has(text)) {
      throw new Error(
        `tokenizer.json: ids ${ids.get(text)} and ${id} are both ${JSON.stringify(text)}, which llama.cpp ` +
          `refuses; rename one`,
      );
    }
    ids.set(text, id);
  }
  if (unknown !== null && ids.has(unknown)) types[ids.get(unknown)!] = TOKEN_TYPES.unknown;
  return { texts: filled, types, ids };
}

function specialTokens(
  list: TokenList,
  { json, config, unknown, eosTokenIds }: {
    json: Json;
    config: Json;
    unknown: string | null;
    eosTokenIds: readonly number[];
  },
): GgufMetadata {
  const idOf = (key: string) => {
    const text = textOf(config[key]);
    return text === null ? undefined : list.ids.get(text);
  };
  const [bos, eos, pad] = [idOf("bos_token"), idOf("eos_token") ?? eosTokenIds[0], idOf("pad_token")];
  // llama.cpp stops at an end of turn and an end of message too.
  const [eot, eom] = eosTokenIds.filter((id) => id !== eos);
  const ids = {
    bos_token_id: bos,
    eos_token_id: eos,
    eot_token_id: eot,
    eom_token_id: eom,
    unknown_token_id: unknown === null ? undefined : list.ids.get(unknown),
    padding_token_id: pad,
  };
  const given = Object.entries(ids).filter((entry): entry is [string, number] => entry[1] !== undefined);
  const framed = framingTokens(json["post_processor"]);
  const adds = (key: string, id: number | undefined, text: string | undefined) =>
    id !== undefined && (typeof config[key] === "boolean" ? config[key] : list.texts[id] === text);
  return {
    ...Object.fromEntries(given.map(([key, id]) => [`tokenizer.ggml.${key}`, { uint32: id }])),
    "tokenizer.ggml.add_bos_token": adds("add_bos_token", bos, framed.first),
    "tokenizer.ggml.add_eos_token": adds("add_eos_token", eos, framed.last),
  };
}

/** The special tokens that a post-processor puts around a text. */
function framingTokens(processor: unknown): { first?: string | undefined; last?: string | undefined } {
  if (!isObject(processor)) return {};
  if (processor["type"] === "Sequence" && Array.isArray(processor["processors"])) {
    return Object.assign({}, ...processor["processors"].map(framingTokens));
  }
  const single = processor["single"];
  if (processor["type"] !== "TemplateProcessing" || !Array.isArray(single)) return {};
  const texts = single.map((piece) => isObject(piece) ? textOf(piece["SpecialToken"], "id") : null);
  const text = texts.indexOf(null);
  return { first: texts.slice(0, text).at(0) ?? undefined, last: texts.slice(text + 1).at(-1) ?? undefined };
}

function chatTemplates(value: unknown, replacement: string | null): GgufMetadata {
  const key = "tokenizer.chat_template";
  if (replacement !== null) return { [key]: replacement };
  if (typeof value === "string") return { [key]: value };
  if (!Array.isArray(value)) return {};
  const named = value.flatMap((entry): [string, string][] => {
    const [name, template] = isObject(entry) ? [entry["name"], entry["template"]] : [];
    return typeof name === "string" && typeof template === "string" ? [[name, template]] : [];
  });
  const others = named.filter(([name]) => name !== "default");
  return {
    ...Object.fromEntries(named.map(([name, text]) => [name === "default" ? key : `${key}.${name}`, text])),
    ...(others.length === 0 ? {} : { "tokenizer.chat_templates": others.map(([name]) => name) }),
  };
}

function strippingNotes(added: readonly AddedToken[]): string[] {
  const stripping = added.filter(({ strips }) => strips).map(({ content }) => content);
  if (stripping.length === 0) return [];
  const more = stripping.length > 3 ? ` and ${stripping.length - 3} more` : "";
  return [
    `llama.cpp keeps the spaces beside ${
      stripping.slice(0, 3).join(", ")
    }${more}, which the tokenizer takes ` +
    `into the token`,
  ];
}

function textOf(value: unknown, key = "content"): string | null {
  const text = isObject(value) ? value[key] : value;
  return typeof text === "string" ? text : null;
}

function requireObject(value: unknown, file: string): Json {
  if (isObject(value)) return value;
  throw new Error(`${file} is ${Array.isArray(value) ? "a list" : typeof value}; wanted a JSON object`);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
