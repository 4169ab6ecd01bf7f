/**
 * Preference losses: log-probs in, loss and its derivatives out.
 *
 * A loss is written once, as an expression over summed log-probs ({@linkcode Loss}). {@linkcode evaluatePaired} and the
 * ready-made functions ({@linkcode dpoLoss}, {@linkcode trDpoLoss}, …) evaluate it in float64 with no GPU at all;
 * {@linkcode compileLoss} also writes its WGSL.
 *
 * @module
 */
export { aot, type AotOptions, aotUnpaired } from "./aot.ts";
export { apoDown } from "./apo_down.ts";
export { apoZero } from "./apo_zero.ts";
export type {
  ChosenRejected,
  LossResult,
  NumberArray,
  PairedLogProbs,
  PairedLossResult,
  PolicyLogProbs,
  PreferenceBatch,
  PreferenceLossFunction,
  PreferenceLossFunctionResult,
  UnpairedLogProbs,
  UnpairedLossResult,
} from "./batch.ts";
export { bcoPair } from "./bco_pair.ts";
export { calDpo } from "./cal_dpo.ts";
export type { LossColumns } from "./columns.ts";
export { combine, type WeightedLoss } from "./combine.ts";
export { type CompiledLoss, compileLoss } from "./compile.ts";
export { cpo, cpoLoss, type CpoOptions } from "./cpo.ts";
export {
  batchMean,
  defineLoss,
  type Loss,
  type LossKind,
  type LossParts,
  type LossTerm,
  type RankMatching,
  rankMatching,
  record,
  type RecordField,
  type Statistic,
  statistic,
} from "./definition.ts";
export { discopop, type DiscopopOptions } from "./discopop.ts";
export type { Divergence, DivergenceOptions } from "./divergence.ts";
export { dpo, dpoLoss, type DpoOptions } from "./dpo.ts";
export { dpop, type DpopOptions } from "./dpop.ts";
export { evaluatePaired, evaluateUnpaired } from "./evaluate.ts";
export { exoPair, type ExoPairOptions } from "./exo_pair.ts";
export * as expressions from "./expression.ts";
export type { Constant, Expression, Operand, Operation, Operator, Variable } from "./expression.ts";
export { hinge } from "./hinge.ts";
export { hypo } from "./hypo.ts";
export { ipo, ipoLoss, type IpoOptions } from "./ipo.ts";
export { kto, ktoLoss, type KtoOptions } from "./kto.ts";
export { ktoPaired, ktoPairedLoss, type KtoPairedOptions } from "./kto_paired.ts";
export { ldDpo, type LdDpoOptions, sumDesensitized } from "./ld_dpo.ts";
export { margin } from "./margin.ts";
export { mpo } from "./mpo.ts";
export { ncaPair } from "./nca_pair.ts";
export { normalizeLengths } from "./normalize_lengths.ts";
export type { BetaOptions } from "./options.ts";
export { orpo, orpoLoss, type OrpoOptions } from "./orpo.ts";
export { robust, type RobustOptions } from "./robust.ts";
export { rpo, type RpoOptions } from "./rpo.ts";
export { sft } from "./sft.ts";
export { sigmoidNorm } from "./sigmoid_norm.ts";
export { simpo, simpoLoss, type SimpoOptions } from "./simpo.ts";
export { sppoHard } from "./sppo_hard.ts";
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
export { wpo } from "./wpo.ts";
