/**
 * The quick start's material: a small corpus in which one person turns to another, who answers kindly (preferred) or
 * curtly, with a tokenizer, a model configuration and an exact measure of what a policy says.
 *
 * @module
 */
export {
  type CompletionRecord,
  type Corpus,
  type CorpusOptions,
  generateCorpus,
  type PreferenceRecord,
} from "./corpus.ts";
export { type GoldScore, goldScore, judge, type Verdict } from "./gold.ts";
export { quickStartModelConfig, smallModelConfig } from "./model_config.ts";
export type { Manner } from "./scenes.ts";
export { quickStartTokenizer } from "./tokenizer.ts";
export { type TokenizerFiles, wordTokenizer, wordVocabulary } from "./word_tokenizer.ts";
export { type QuickStartPaths, writeQuickStart } from "./write_files.ts";
