/**
 * Preference alignment of language models on WebGPU: DPO, IPO, KTO and their Trust Region forms, in which the reference
 * follows the policy during training (Gorbatovski et al., "Learn Your Reference Model for Real Good Alignment",
 * arXiv 2404.09656).
 *
 * Losses and reference strategies are pure functions that need no GPU. For whole runs see `@tr/align/training`; every
 * folder is an export of its own. Reports and plots are in `@tr/align/evaluation` only, which loads a plotting library.
 *
 * @example The two halves of TR-DPO
 * ```ts
 * import { assert, assertAlmostEquals } from "@std/assert";
 * import { mixReference, soft, trDpoLoss } from "@tr/align";
 *
 * // A loss: summed log-probs of two pairs under the policy and under the reference as it is now.
 * const { loss, gradients } = trDpoLoss({
 *   policy: { chosen: [-12, -9], rejected: [-14, -11] },
 *   reference: { chosen: [-12, -9], rejected: [-14, -11] },
 * }, { beta: 0.1 });
 * assertAlmostEquals(loss, Math.LN2); // policy and reference agree
 * assert(gradients.chosen[0]! < 0);
 *
 * // A strategy: when and how far the reference moves after an optimizer step.
 * const strategy = soft({ alpha: 0.6, every: 64 });
 * const alpha = strategy({ step: 64, totalSteps: 500 });
 * assertAlmostEquals(mixReference(new Float32Array([1]), new Float32Array([2]), { alpha })[0]!, 1.6, 1e-6);
 * ```
 *
 * @module
 */
export * from "./losses/mod.ts";
export * from "./reference/mod.ts";
export * from "./kernels/mod.ts";
export * from "./models/mod.ts";
export * from "./data/mod.ts";
export * from "./hub/mod.ts";
export * from "./training/mod.ts";
