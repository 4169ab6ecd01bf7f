import type { TokenizedCompletion, TokenizedPair } from "./tokenize.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** How {@linkcode describeExample} writes. */
export interface DescribeOptions {
  /** Whether to colour the parts with ANSI escapes, special tokens inverted; default false. */
  color?: boolean;
}

type Part = "prompt" | "chosen" | "rejected" | "completion";

const COLORS: { [part in Part]: string } = {
  prompt: "\x1b[2m",
  chosen: "\x1b[32m",
  rejected: "\x1b[31m",
  completion: "\x1b[36m",
};
const RESET = "\x1b[0m";
const [INVERT, REVERT] = ["\x1b[7m", "\x1b[27m"];
/** Tokens to show on either side of the boundary. */
const CONTEXT = 3;

/**
 * Writes an example as the model will see it, for a look at the data before training: each part decoded with
 * its special tokens, its length, what was cut, how it ends, and the tokens around the boundary.
 *
 * @param example a tokenized pair or completion
 * @param tokenizer the one it was tokenized with
 * @returns several lines of text without a final line break
 */
export function describeExample(
  example: TokenizedPair | TokenizedCompletion,
  tokenizer: Tokenizer,
  { color = false }: DescribeOptions = {},
): string {
  const { line, prompt } = example;
  const completions: [Part, Int32Array][] = "chosen" in example
    ? [["chosen", example.chosen], ["rejected", example.rejected]]
    : [["completion", example.completion]];
  const cut: { [part: string]: number } = example.cut ?? {};
  const label = "label" in example ? [`label: ${example.label ? "desirable" : "undesirable"}`] : [];

  return [
    `line ${line}`,
    ...label,
    heading("prompt", [tokenCount(prompt), cutCount("prompt")]),
    paint("prompt", tokenizer.decode(prompt)),
    ...completions.flatMap(([part, ids]) => [
      heading(part, [tokenCount(ids), cutCount(part), ending(ids)]),
      paint(part, decodeAfter(prompt, ids, tokenizer)),
      `boundary: ${tokenTexts(prompt.slice(-CONTEXT))} | ${tokenTexts(ids.slice(0, CONTEXT))}`,
    ]),
  ].join("\n");

  function heading(part: Part, facts: string[]): string {
    return `--- ${part}: ${facts.filter((fact) => fact !== "").join(", ")} ---`;
  }
  function paint(part: Part, text: string): string {
    return color ? `${COLORS[part]}${invertSpecial(text)}${RESET}` : text;
  }
  function invertSpecial(text: string): string {
    const present = [prompt, ...completions.map(([, ids]) => ids)].flatMap((ids) => [...ids])
      .filter((id) => tokenizer.specialIds.has(id));
    const names = [...new Set(present)].map((id) => tokenizer.tokenText(id));
    const pattern = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    return names.length === 0 ? text : text.replace(new RegExp(pattern, "g"), `${INVERT}$&${REVERT}`);
  }
  function cutCount(part: Part): string {
    return cut[part] ? `${cut[part]} cut` : "";
  }
  function ending(ids: Int32Array): string {
    const last = ids.at(-1)!;
    return tokenizer.specialIds.has(last) ? `ends with ${tokenizer.tokenText(last)}` : "no end token";
  }
  function tokenTexts(ids: Int32Array): string {
    return Array.from(ids, (id) => JSON.stringify(tokenizer.tokenText(id))).join(" ");
  }
}

function tokenCount(ids: Int32Array): string {
  return `${ids.length} ${ids.length === 1 ? "token" : "tokens"}`;
}

/** Decodes a completion in its place, since some tokenizers drop the space with which a text starts. */
function decodeAfter(prompt: Int32Array, completion: Int32Array, tokenizer: Tokenizer): string {
  const before = tokenizer.decode(prompt);
  const whole = tokenizer.decode([...prompt, ...completion]);
  return whole.startsWith(before) ? whole.slice(before.length) : tokenizer.decode(completion);
}
