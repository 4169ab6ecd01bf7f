/** What the configs of several families have in common. */
import { type Config, fail, optional, positiveInteger, trueOrFalse } from "../files/config_values.ts";

/** Where messages say a value comes from. */
interface Named {
  /** The file. */
  readonly name: string;
}

/** Throws unless each key, where it is given, has a value for which this package computes the model. */
export function requireSupported(
  config: Config,
  { name, values }: Named & { values: Readonly<Record<string, readonly unknown[]>> },
): void {
  const known: Readonly<Record<string, readonly unknown[]>> = { quantization_config: [null], ...values };
  for (const [key, supported] of Object.entries(known)) {
    const value = config[key] ?? supported[0];
    if (supported.includes(value)) continue;
    throw new Error(
      `${name}: ${key} is ${JSON.stringify(value)}, which is not supported; ` +
        (supported[0] === null
          ? "use weights without it"
          : `only ${supported.map((one) => JSON.stringify(one)).join(" and ")} is`),
    );
  }
}

/** Sizes of attention as Llama-like configs give them. */
export function parseHeads(
  config: Config,
  { name, heads: defaultHeads, keyValueHeads: defaultKeyValueHeads, headSize: defaultHeadSize }: Named & {
    heads: number;
    keyValueHeads?: number;
    headSize?: number;
  },
): { hiddenSize: number; heads: number; keyValueHeads: number; headSize: number } {
  const hiddenSize = positiveInteger(config, "hidden_size", { fallback: 4096, name });
  const heads = positiveInteger(config, "num_attention_heads", { fallback: defaultHeads, name });
  const keyValueHeads = positiveInteger(optional(config, "num_key_value_heads"), "num_key_value_heads", {
    fallback: "num_key_value_heads" in config ? heads : defaultKeyValueHeads ?? heads,
    name,
  });
  if (heads % keyValueHeads !== 0) {
    throw new Error(
      `${name}: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${keyValueHeads}`,
    );
  }
  const given = optional(config, "head_dim");
  if (!("head_dim" in given) && defaultHeadSize === undefined && hiddenSize % heads !== 0) {
    throw new Error(
      `${name}: hidden_size ${hiddenSize} is not a multiple of num_attention_heads ${heads}; give head_dim`,
    );
  }
  const fallback = defaultHeadSize ?? hiddenSize / heads;
  const headSize = positiveInteger(given, "head_dim", { fallback, name });
  if (headSize % 2 !== 0) {
    throw new Error(`${name}: the head size is ${headSize}; rotary embeddings need an even one`);
  }
  return { hiddenSize, heads, keyValueHeads, headSize };
}

/** `tie_word_embeddings` and the ids of special tokens. */
export function parseVocabulary(
  config: Config,
  { name, size, tied = false, bos, eos }: Named & {
    size: number;
    tied?: boolean;
    bos: number | null;
    eos: number | null;
  },
) {
  return {
    vocabularySize: positiveInteger(config, "vocab_size", { fallback: size, name }),
    tieWordEmbeddings: trueOrFalse(config, "tie_word_embeddings", { fallback: tied, name }),
    bosTokenId: parseTokenIds(config, "bos_token_id", { fallback: bos, name })[0] ?? null,
    eosTokenIds: parseTokenIds(config, "eos_token_id", { fallback: eos, name }),
  };
}

/** The size of a sliding window; null for none. */
export function parseWindow(
  config: Config,
  { name, fallback }: Named & { fallback: number | null },
): number | null {
  const value = config.sliding_window === undefined ? fallback : config.sliding_window;
  return value === null ? null : positiveInteger({ sliding_window: value }, "sliding_window", { name });
}

function parseTokenIds(
  config: Config,
  key: string,
  { fallback, name }: { fallback: number | null; name: string },
): number[] {
  const value = config[key] === undefined ? fallback : config[key];
  const ids = value === null ? [] : Array.isArray(value) ? value : [value];
  if (!ids.every(Number.isSafeInteger)) {
    throw fail(config, key, { wanted: "a token id or a list of them", name });
  }
  return ids;
}
