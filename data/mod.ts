/**
 * Preference data: records of every common form, checked, rendered by the model's chat template, tokenized
 * with an exact boundary between prompt and completion, cut to length, shuffled and batched.
 *
 * @module
 */
export * from "./records.ts";
export { type JsonObject, RecordError, type RecordSource } from "./fields.ts";
export { parseRecord } from "./parse_record.ts";
export { type LlamaFactoryColumns, type LlamaFactoryLayout } from "./llama_factory.ts";
export type { MessageTags } from "./messages.ts";
export { type DatasetInfo, parseDatasetInfo } from "./dataset_info.ts";
export { type SplitPair, splitSharedPrompt } from "./prompt_prefix.ts";
export { type JsonEntry, type JsonStreamOptions, parseJsonStream } from "./json_stream.ts";
export { checkEntries, type CollectedRecords, type CollectOptions, collectRecords } from "./collect.ts";
export { countDropped, describeDropped, type Dropped, type DropReason, type DropTally } from "./tally.ts";
export { readEntries, readRecords } from "./read.ts";
export { type ByteRanges, parseParquet } from "./parquet.ts";
export { type DataEntry, type DataSource, resolveSources } from "./read_sources.ts";
export { hubSplits } from "./hub_splits.ts";
export * from "./template.ts";
export * from "./tokenizer.ts";
export * from "./read_tokenizer.ts";
export { type EncodedExchange, encodeExchange, type Exchange } from "./encode_exchange.ts";
export * from "./truncate.ts";
export {
  tokenizeCompletions,
  type Tokenized,
  type TokenizedCompletion,
  type TokenizedPair,
  type TokenizeOptions,
  tokenizePairs,
  tokenizeRecord,
} from "./tokenize.ts";
export type { TokenizedRecord, TokenLengths, TokenStore } from "./token_store.ts";
export { type FileTokens, readTokens, type ReadTokensOptions } from "./read_tokens.ts";
export { mismatchCompletions, type MismatchOptions } from "./mismatch.ts";
export * from "./inspect.ts";
export * from "./statistics.ts";
export * from "./kto_weights.ts";
export * from "./random.ts";
export * from "./shuffle.ts";
export * from "./mixture.ts";
export * from "./position.ts";
export * from "./pack.ts";
export * from "./buckets.ts";
export * from "./prompts.ts";
