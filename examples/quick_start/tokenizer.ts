import { fill, NAMES, SCENES, THINGS } from "./scenes.ts";
import { type TokenizerFiles, wordTokenizer, wordVocabulary } from "./word_tokenizer.ts";

/** Writes down a tokenizer with one token per word and per punctuation mark of the corpus. */
export function quickStartTokenizer(): TokenizerFiles {
  return wordTokenizer(corpusTexts());
}

/** Returns every token of the corpus and its id. */
export function quickStartVocabulary(): Record<string, number> {
  return wordVocabulary(corpusTexts());
}

function corpusTexts(): string[] {
  const noCast = { asker: "", helper: "", thing: "" };
  const templates = SCENES.flatMap(({ prompt, answers: { kind, curt } }) => [
    prompt,
    ...kind.openings,
    ...kind.closings,
    ...curt.openings,
    ...curt.closings,
  ]);
  return [...templates.map((template) => fill(template, noCast)), ...NAMES, ...THINGS];
}
