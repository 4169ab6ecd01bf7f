/**
 * Trains with a loss of one's own: a plain function from summed log-probs to a loss and its derivatives.
 *
 *     deno run -A examples/custom_loss.ts ./model pairs.jsonl runs/custom
 *
 * Here: a hinge on the margin of the log-ratios (SLiC-HF, arXiv 2305.10425), against a softly updated reference.
 */
import type { PreferenceLossFunction } from "@tr/align/losses";
import { requestDevice } from "@tr/align/kernels";
import { claimDirectory, prepareRun, type RunConfig, runTraining } from "@tr/align/training";

/** max(0, 1 − β (u_w − u_l)), with u the log-ratio of policy and reference. */
export const hinge: PreferenceLossFunction = ({ policy, reference }) => {
  const beta = 0.1;
  const count = policy.chosen.length;
  const ratio = (side: "chosen" | "rejected") =>
    Array.from(policy[side], (value, i) => value - reference[side][i]!);
  const [chosen, rejected] = [ratio("chosen"), ratio("rejected")];
  const margins = chosen.map((value, i) => beta * (value - rejected[i]!));
  const losses = margins.map((margin) => Math.max(0, 1 - margin));
  const slope = margins.map((margin) => margin < 1 ? -beta / count : 0); // d loss / d chosen log-prob
  return {
    loss: losses.reduce((sum, value) => sum + value, 0) / count,
    losses,
    rewards: { chosen: chosen.map((u) => beta * u), rejected: rejected.map((u) => beta * u) },
    gradients: { chosen: slope, rejected: slope.map((value) => -value) },
  };
};

if (import.meta.main) {
  const [model, pairs, directory] = Deno.args;
  if (model === undefined || pairs === undefined || directory === undefined) {
    console.error("usage: deno run -A examples/custom_loss.ts MODEL PAIRS.jsonl OUTPUT");
    Deno.exit(2);
  }
  const config: RunConfig = {
    model: { path: model, dtype: "float32" },
    data: {
      train: [pairs],
      eval: null,
      evalRecords: null,
      maxLength: 128,
      maxPromptLength: null,
      truncate: "keep_end",
      template: null,
      shuffle: true,
      invalid: "skip",
    },
    reference: { update: "soft", alpha: 0.6, every: 16, path: null },
    training: {
      steps: 50,
      batchSize: 8,
      accumulate: 1,
      learningRate: 1e-4,
      schedule: "cosine",
      warmup: 5,
      weightDecay: 0,
      adamBetas: [0.9, 0.999],
      adamEpsilon: 1e-8,
      maxGradNorm: 2,
      seed: 0,
      initialEvery: 1,
      memoryLimit: null,
    },
    output: {
      directory,
      saveEvery: 0,
      evalEvery: 0,
      logEvery: 1,
      keepCheckpoints: 1,
      samples: 0,
      sampleTokens: 0,
    },
    generation: { temperature: 1, topK: null, topP: null, seed: 0 },
  };
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("no GPU adapter");
  const run = await prepareRun(await requestDevice(adapter), config, { loss: hinge });
  const output = await claimDirectory(directory, { mode: "new" });
  for await (const event of runTraining(run, { output, resume: false, configText: JSON.stringify(config) })) {
    if (event.type === "step") console.log(event.row.step, event.row.loss, event.row["rewards/margins"]);
  }
  run.model.directory.close();
  run.engine.device.destroy();
}
