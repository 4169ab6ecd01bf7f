import type { Message, TemplateVariables } from "./records.ts";
import { renderExchange } from "./template.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A prompt and the completions that share it, all in one form. */
export type Exchange =
  | { form: "text"; prompt: string; completions: readonly string[] }
  | {
    form: "messages";
    prompt: readonly Message[];
    completions: readonly (readonly Message[])[];
    variables?: TemplateVariables;
  }
  | { form: "ids"; prompt: Int32Array; completions: readonly Int32Array[] };

/** A prompt's token ids and those of the completions that follow it; any of them can be empty. */
export interface EncodedExchange {
  /** The tokens that all completions have in front. */
  prompt: Int32Array;
  /** The tokens of each completion. */
  completions: Int32Array[];
}

/**
 * Tokenizes a prompt together with each of its completions, and finds the boundary between them.
 *
 * Tokens can merge across the end of the prompt: `"2 + 2 = "` and `"4"` may hold a token `" 4"`. The model at
 * work would see the tokens of the whole text, so the whole text is what is tokenized; the prompt is then the
 * longest beginning that the prompt alone and every whole text have in common, and all later tokens belong to
 * the completion. For a pair this gives both sides the same prompt.
 *
 * BOS is put in front once, if the tokenizer adds one and the text hasn't it. With `addEos`, a completion
 * ends with EOS exactly once; white space that a chat template writes after an end-of-turn token is left out,
 * because the model stops before it.
 *
 * @throws {Error} if messages are given and there is no chat template, or EOS is wanted and there is none
 */
export function encodeExchange(
  exchange: Exchange,
  { tokenizer, addEos }: { tokenizer: Tokenizer; addEos: boolean },
): EncodedExchange {
  if (exchange.form === "ids") return { prompt: exchange.prompt, completions: [...exchange.completions] };
  const isChat = exchange.form === "messages";
  const texts = isChat ? renderTexts(exchange, tokenizer) : exchange;

  const prompt = withSingleBos(tokenizer.encode(texts.prompt), tokenizer);
  const wholes = texts.completions.map((completion) => {
    const text = texts.prompt + completion;
    return withSingleBos(isChat ? encodeTurn(text, tokenizer) : tokenizer.encode(text), tokenizer);
  });
  const boundary = Math.min(...wholes.map((whole) => commonLength(prompt, whole)));
  return {
    prompt: prompt.slice(0, boundary),
    completions: wholes.map((whole) => {
      const completion = whole.slice(boundary);
      return addEos && completion.length > 0 ? withSingleEos(completion, { tokenizer, isChat }) : completion;
    }),
  };
}

function renderTexts(
  { prompt, completions, variables = {} }: Extract<Exchange, { form: "messages" }>,
  { chatTemplate }: Tokenizer,
): { prompt: string; completions: string[] } {
  if (chatTemplate === null) {
    throw new Error(
      `the record holds messages but the model has no chat template; give one (chat_template in ` +
        `tokenizer_config.json, a chat_template.jinja file or the chatTemplate option) or write the records as text`,
    );
  }
  const rendered = completions.map((completion) =>
    renderExchange(chatTemplate, { prompt, completion, variables })
  );
  return { prompt: rendered[0]?.prompt ?? "", completions: rendered.map(({ completion }) => completion) };
}

/** Encodes a rendered conversation without white space after its last end-of-turn token. */
function encodeTurn(text: string, tokenizer: Tokenizer): Int32Array {
  const trimmed = tokenizer.encode(text.trimEnd());
  return tokenizer.specialIds.has(trimmed.at(-1) ?? -1) ? trimmed : tokenizer.encode(text);
}

function withSingleBos(ids: Int32Array, { bosId, addBos }: Tokenizer): Int32Array {
  if (bosId === null || !addBos) return ids;
  let written = 0;
  while (ids[written] === bosId) written++;
  return concatenate(Int32Array.of(bosId), ids.subarray(written));
}

function withSingleEos(
  ids: Int32Array,
  { tokenizer, isChat }: { tokenizer: Tokenizer; isChat: boolean },
): Int32Array {
  const { eosId, specialIds } = tokenizer;
  const last = ids.at(-1)!;
  if (isChat && last !== eosId && specialIds.has(last)) return ids;
  if (eosId === null) {
    throw new Error(
      `the tokenizer has no EOS token; name one (eos_token in tokenizer_config.json) or set addEos: false`,
    );
  }
  let length = ids.length;
  while (length > 0 && ids[length - 1] === eosId) length--;
  return concatenate(ids.subarray(0, length), Int32Array.of(eosId));
}

function concatenate(a: Int32Array, b: Int32Array): Int32Array {
  const both = new Int32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function commonLength(a: Int32Array, b: Int32Array): number {
  const shorter = Math.min(a.length, b.length);
  let length = 0;
  while (length < shorter && a[length] === b[length]) length++;
  return length;
}
