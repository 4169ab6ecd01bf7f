/**
 * A tokenizer of the Hugging Face hub with what alignment needs to know of it.
 *
 * @module
 */
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { isJsonObject } from "./fields.ts";
import { type ChatTemplate, compileChatTemplate, findChatTemplate } from "./template.ts";

/** Text to token ids and back, with the special tokens that frame a sequence. */
export interface Tokenizer {
  /** Text to ids; special tokens that are written in the text become their ids. */
  encode: (text: string, options?: EncodeOptions) => Int32Array;
  /** Ids to text, without any clean-up of spaces. */
  decode: (ids: ArrayLike<number>, options?: DecodeOptions) => string;
  /** The token as the vocabulary spells it, such as `▁upon` or `Ġupon`; throws if there is no such id. */
  tokenText: (id: number) => string;
  /** The id of the token that begins a sequence; null if the model has none. */
  bosId: number | null;
  /** The id of the token that ends a sequence; null if the model has none. */
  eosId: number | null;
  /** The id that fills up a batch; null if the model has none. */
  padId: number | null;
  /** Whether the tokenizer itself puts BOS in front of every text. */
  addBos: boolean;
  /** The ids of all special tokens: end of turn, BOS, EOS and the like. */
  specialIds: ReadonlySet<number>;
  /** One more than the largest id. A model's own vocabulary can be larger. */
  vocabularySize: number;
  /** Renders conversations; null if the model has no chat template. */
  chatTemplate: ChatTemplate | null;
  /** SHA-256, in hexadecimal, of all that decides which tokens a record becomes. */
  fingerprint: () => Promise<string>;
}

/** How {@linkcode Tokenizer.encode} treats the ends of a text. */
export interface EncodeOptions {
  /** Whether to add what the tokenizer's own post-processor adds, such as BOS; default false. */
  addSpecialTokens?: boolean;
}

/** How {@linkcode Tokenizer.decode} writes special tokens. */
export interface DecodeOptions {
  /** Whether to leave special tokens out; default false. */
  skipSpecialTokens?: boolean;
}

/** The files of a tokenizer. */
export interface TokenizerFiles {
  /** The parsed `tokenizer.json`. */
  tokenizerJson: unknown;
  /** The parsed `tokenizer_config.json`. */
  tokenizerConfig: unknown;
  /** A chat template's text, such as that of `chat_template.jinja`; wins over the configuration's. */
  chatTemplate?: string | null;
  /** Which template to take where `tokenizerConfig` names several; default `default`. */
  chatTemplateName?: string;
  /** Further variables for the chat template, by name. */
  chatTemplateVariables?: { readonly [name: string]: unknown };
}

/**
 * Makes a tokenizer from the parsed files of a model directory.
 *
 * BOS is added if `add_bos_token` in the configuration says so, or, where that is absent, if the tokenizer's
 * own post-processor does.
 *
 * @throws {Error} if a file hasn't the expected form, names a special token that isn't in the vocabulary, or
 * the chat template can't be parsed
 *
 * @example
 * ```ts
 * import { loadTokenizer } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = loadTokenizer({
 *   tokenizerJson: {
 *     added_tokens: [{ id: 3, content: "</s>", special: true }],
 *     model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2, "</s>": 3 }, merges: ["a b"] },
 *   },
 *   tokenizerConfig: { eos_token: "</s>" },
 * });
 * assertEquals([...tokenizer.encode("aba</s>")], [2, 0, 3]);
 * assertEquals(tokenizer.eosId, 3);
 * ```
 */
export function loadTokenizer(files: TokenizerFiles): Tokenizer {
  const config = requireObject(files.tokenizerConfig, "tokenizer_config.json");
  const json = requireObject(files.tokenizerJson, "tokenizer.json");
  if (!isJsonObject(json["model"])) {
    throw new Error(`tokenizer.json has no "model"; wanted a fast tokenizer's file`);
  }

  const hub = new HubTokenizer({ ...ABSENT_PARTS, ...json }, config);
  const vocabulary = hub.get_vocab();
  const ids = [...vocabulary.values()];

  const bos = specialToken("bos_token");
  const eos = specialToken("eos_token");
  const pad = specialToken("pad_token", { mayBeUnknown: true });
  const addedTokens = [...hub.get_added_tokens_decoder().values()];
  const specialIds = new Set(addedTokens.filter((token) => token.special).map((token) => token.id));
  for (const token of [bos, eos, pad]) if (token !== null) specialIds.add(token.id);

  const source = files.chatTemplate ??
    findChatTemplate(config["chat_template"], { name: files.chatTemplateName ?? "default" });
  const templateOptions = {
    bosToken: bos?.text ?? null,
    eosToken: eos?.text ?? null,
    variables: files.chatTemplateVariables ?? {},
  };

  return {
    encode,
    decode,
    tokenText,
    bosId: bos?.id ?? null,
    eosId: eos?.id ?? null,
    padId: pad?.id ?? null,
    addBos: bos !== null && addsBos(bos.id),
    specialIds,
    vocabularySize: ids.reduce((most, id) => Math.max(most, id + 1), 0),
    chatTemplate: source === null ? null : compileChatTemplate(source, templateOptions),
    fingerprint,
  };

  async function fingerprint(): Promise<string> {
    // Some templates write today's date, so what they render is another day's tomorrow.
    const day = source?.includes("strftime_now") ? new Date().toDateString() : null;
    const text = JSON.stringify([json, config, source, templateOptions, day]);
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function encode(text: string, { addSpecialTokens = false }: EncodeOptions = {}): Int32Array {
    const encoding = hub.encode(text, { add_special_tokens: addSpecialTokens });
    return Int32Array.from(encoding.ids, (id: number | undefined, index) => {
      if (id !== undefined) return id;
      throw new Error(`The tokenizer has no id for "${encoding.tokens[index]}" and no unknown token`);
    });
  }

  function decode(tokens: ArrayLike<number>, { skipSpecialTokens = false }: DecodeOptions = {}): string {
    if (tokens.length === 0) return "";
    return hub.decode(Array.from(tokens), {
      skip_special_tokens: skipSpecialTokens,
      clean_up_tokenization_spaces: false,
    });
  }

  function tokenText(id: number): string {
    const text = hub.id_to_token(id);
    if (text !== undefined) return text;
    throw new Error(`Token id ${id} is not in the vocabulary of ${ids.length} tokens`);
  }

  // A padding token that only the configuration knows is common, and harmless: padding is never attended to.
  function specialToken(key: string, { mayBeUnknown = false } = {}): { text: string; id: number } | null {
    const value = config[key];
    const text = isJsonObject(value) ? value["content"] : value;
    if (text === undefined || text === null) return null;
    const id = typeof text === "string" ? hub.token_to_id(text) : undefined;
    if (typeof text === "string" && id !== undefined) return { text, id };
    if (mayBeUnknown) return null;
    throw new Error(
      `tokenizer_config.json: ${key} is ${JSON.stringify(value)}, which is not in tokenizer.json`,
    );
  }

  function addsBos(id: number): boolean {
    const setting = config["add_bos_token"];
    if (typeof setting === "boolean") return setting;
    return encode("", { addSpecialTokens: true })[0] === id;
  }
}

/** The parts of `tokenizer.json` that may be absent. */
const ABSENT_PARTS = {
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  added_tokens: [],
};

function requireObject(value: unknown, file: string): { readonly [key: string]: unknown } {
  if (isJsonObject(value)) return value;
  throw new Error(`${file} is ${Array.isArray(value) ? "a list" : typeof value}; wanted a JSON object`);
}
