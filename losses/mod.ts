/**
 * Preference losses: log-probs in, loss and its derivatives out.
 *
 * A loss is written once, as an expression over summed log-probs ({@linkcode Loss}). {@linkcode evaluatePaired} and the
 * ready-made functions ({@linkcode dpoLoss}, {@linkcode trDpoLoss}, …) evaluate it in float64 with no GPU at all;
 * {@linkcode compileLoss} also writes its WGSL.
 *
 * @module
 */
export type {
  ChosenRejected,
  LossResult,
  NumberArray,
  PairedLogProbs,
  PairedLossResult,
  PreferenceBatch,
  PreferenceLossFunction,
  PreferenceLossFunctionResult,
  UnpairedLogProbs,
  UnpairedLossResult,
} from "./batch.ts";
export type { LossColumns } from "./columns.ts";
export { combine, type WeightedLoss } from "./combine.ts";
export { type CompiledLoss, compileLoss } from "./compile.ts";
export {
  batchMean,
  defineLoss,
  type Loss,
  type LossKind,
  type LossParts,
  type LossTerm,
  record,
  type RecordField,
  type Statistic,
  statistic,
} from "./definition.ts";
export { dpo, dpoLoss, type DpoOptions } from "./dpo.ts";
export { evaluatePaired, evaluateUnpaired } from "./evaluate.ts";
export * as expressions from "./expression.ts";
export type { Constant, Expression, Operand, Operation, Operator, Variable } from "./expression.ts";
export { ipo, ipoLoss, type IpoOptions } from "./ipo.ts";
export { kto, ktoLoss, type KtoOptions } from "./kto.ts";
export { ktoPaired, ktoPairedLoss, type KtoPairedOptions } from "./kto_paired.ts";
export { sft } from "./sft.ts";
export {
  type InitialRewards,
  trDpoLoss,
  trIpoLoss,
  trKtoLoss,
  trKtoPairedLoss,
  type TrustRegionCompletions,
  type TrustRegionPairedResult,
  type TrustRegionPairs,
  type TrustRegionUnpairedResult,
} from "./trust_region.ts";
