/**
 * BPE with byte fallback, as converted from SentencePiece (Llama 2, Mistral), as llama.cpp's tokenizer `llama`.
 *
 * @module
 */
import type { GgufMetadata } from "./format.ts";
import {
  type BytePairs,
  stepsOf,
  TOKEN_TYPES,
  type TokenizerParts,
  type TokenList,
} from "./tokenizer_json.ts";

const SPACE = "▁";

/**
 * The part of the metadata that only SentencePiece tokenizers have.
 *
 * llama.cpp joins, among all neighbours whose joint text is a token, those whose token has the highest score. A
 * `tokenizer.json` has ranks of pairs instead of scores: a token's score is minus the rank of the first pair that
 * makes it. This is the same exactly if every way to make a token is a merge, and the ranks of a token's merges
 * are neighbours, as they are in conversions from SentencePiece. Both are checked. Runs of one character, such as
 * of spaces, may have fewer merges if both ways of joining make the same tokens of them.
 *
 * @throws {Error} if the normalizer, pre-tokenizer or merges are others than SentencePiece's
 */
export function sentencePieceMetadata(
  { json, bpe, list }: TokenizerParts,
): { metadata: GgufMetadata; notes: string[] } {
  const missing = list.types.filter((type) => type === TOKEN_TYPES.byte).length;
  if (missing !== 256) {
    throw new Error(
      `tokenizer.json has ${missing} of the 256 byte tokens <0x00> to <0xFF>; llama.cpp needs all`,
    );
  }
  if (bpe.ignoreMerges) {
    throw new Error("tokenizer.json: ignore_merges together with byte_fallback is not known to llama.cpp");
  }
  const { prefix, notes } = readPrefix(json);
  return {
    metadata: {
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.pre": "default",
      "tokenizer.ggml.scores": scores(bpe, list),
      "tokenizer.ggml.add_space_prefix": prefix,
    },
    notes,
  };
}

/** Whether a space is put in front of texts; checks that nothing else is done to them. */
function readPrefix(json: Readonly<Record<string, unknown>>): { prefix: boolean; notes: string[] } {
  let [prefix, replaces] = [false, false];
  const notes: string[] = [];
  for (const step of [...stepsOf(json["normalizer"]), ...stepsOf(json["pre_tokenizer"])]) {
    const pattern = step["pattern"] as { String?: string } | undefined;
    if (step["type"] === "Prepend" && step["prepend"] === SPACE) prefix = true;
    else if (step["type"] === "Replace" && pattern?.String === " " && step["content"] === SPACE) {
      replaces = true;
    } else if (step["type"] === "Metaspace" && step["replacement"] === SPACE && step["split"] === false) {
      const scheme = step["prepend_scheme"] ?? (step["add_prefix_space"] === false ? "never" : "always");
      [prefix, replaces] = [scheme !== "never", true];
      if (prefix) notes.push("texts that begin with a space get one space more in llama.cpp");
      if (scheme === "first") {
        notes.push("llama.cpp puts a space after every special token, the tokenizer doesn't");
      }
    } else {
      throw new Error(
        `tokenizer.json: the step ${
          JSON.stringify(step)
        } is not one of llama.cpp's SentencePiece tokenizer; ` +
          `only ${SPACE} for spaces, with or without one in front, is`,
      );
    }
  }
  if (!replaces) {
    throw new Error(
      `tokenizer.json: spaces don't become ${SPACE}, as llama.cpp's SentencePiece tokenizer does`,
    );
  }
  return { prefix, notes };
}

function scores(bpe: BytePairs, list: TokenList): Float32Array<ArrayBuffer> {
  const { merges, vocabulary } = bpe;
  const result = new Float32Array(list.texts.length);
  const ranks = new Map<string, { first: number; last: number; count: number }>();
  for (const [rank, [left, right]] of merges.entries()) {
    const text = left + right;
    const known = ranks.get(text);
    if (known === undefined) ranks.set(text, { first: rank, last: rank, count: 1 });
    else [known.last, known.count] = [rank, known.count + 1];
  }
  for (const [text, { first, last, count }] of ranks) {
    if (last - first + 1 !== count) {
      throw notSentencePiece(`merges that make ${JSON.stringify(text)} lie apart`);
    }
    result[list.ids.get(text)!] = -first;
  }
  const runs = new Set<string>();
  for (const [text, id] of vocabulary) {
    if (list.types[id] !== TOKEN_TYPES.normal) continue;
    if (countWays(text, vocabulary) === (ranks.get(text)?.count ?? 0)) continue;
    const [character] = text;
    if (text !== character!.repeat([...text].length)) {
      throw notSentencePiece(`not every pair of tokens that makes ${JSON.stringify(text)} is a merge`);
    }
    runs.add(character!);
  }
  const rankOf = new Map(merges.map((pair, rank) => [pair.join("\0"), rank]));
  for (const character of runs) {
    const byRank = (left: string, right: string) => rankOf.get(`${left}\0${right}`);
    const byScore = (left: string, right: string) => {
      const id = vocabulary.get(left + right);
      return id === undefined ? undefined : -result[id]!;
    };
    // Longer runs repeat what these do: only the last few tokens of a run depend on its length.
    const longest = runLengths(character, vocabulary).at(-1)!;
    for (let length = 2; length <= 4 * longest; length++) {
      if (joinRun(character, { length, order: byRank }) === joinRun(character, { length, order: byScore })) {
        continue;
      }
      throw notSentencePiece(`${length} ${JSON.stringify(character)} in a row would become other tokens`);
    }
  }
  return result;
}

function runLengths(character: string, vocabulary: ReadonlyMap<string, number>): number[] {
  const isRun = (text: string) => text === character.repeat(text.length / character.length);
  return [...vocabulary.keys()].filter(isRun).map((text) => text.length).sort((a, b) => a - b);
}

/** Joins a run of one character, always the neighbours of the lowest order, the leftmost of equals. */
function joinRun(
  character: string,
  { length, order }: { length: number; order: (left: string, right: string) => number | undefined },
): string {
  const parts = new Array<string>(length).fill(character);
  for (;;) {
    let [best, at] = [Infinity, -1];
    for (let i = 1; i < parts.length; i++) {
      const rank = order(parts[i - 1]!, parts[i]!) ?? Infinity;
      if (rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return parts.join(" ");
    parts.splice(at - 1, 2, parts[at - 1]! + parts[at]!);
  }
}

function countWays(text: string, vocabulary: ReadonlyMap<string, number>): number {
  let ways = 0, left = "";
  for (const character of text) {
    if (left !== "" && vocabulary.has(left) && vocabulary.has(text.slice(left.length))) ways++;
    left += character;
  }
  return ways;
}

function notSentencePiece(what: string): Error {
  return new Error(
    `tokenizer.json: ${what}, so its merges can't be written as the scores that llama.cpp needs`,
  );
}
