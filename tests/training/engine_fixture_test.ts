/**
 * The engine against the fixtures: losses, gradients, AdamW steps and trajectories that PyTorch computed in float64.
 * Tolerances are those that the fixtures' README suggests for a float32 library.
 */
import { combine } from "../../losses/combine.ts";
import { compileLoss } from "../../losses/compile.ts";
import type { Loss } from "../../losses/definition.ts";
import { dpo } from "../../losses/dpo.ts";
import { ipo } from "../../losses/ipo.ts";
import { kto } from "../../losses/kto.ts";
import { ktoPaired } from "../../losses/kto_paired.ts";
import { sft } from "../../losses/sft.ts";
import { frozen } from "../../reference/frozen.ts";
import { hard } from "../../reference/hard.ts";
import { soft } from "../../reference/soft.ts";
import type { ReferenceStrategy } from "../../reference/strategy.ts";
import { assertAllWithin, assertRelative, assertSummary, type Expectation } from "../fixtures/fixtures.ts";
import { type FixtureEngine, fixtureEngine, fixtureSingles } from "./fixture_engine.ts";

const cases = ["llama-gqa", "llama3-rope", "mistral", "qwen2", "gpt2", "gpt_neox"];
const beta = 0.1;
const losses: Record<string, Loss> = {
  dpo: dpo({ beta }),
  ipo_sum: ipo({ beta, average: "sum" }),
  ipo_mean: ipo({ beta, average: "mean" }),
  kto_paired: ktoPaired({ beta }),
  kto_paired_grad_through_z: ktoPaired({ beta, detach: false }),
  kto_unpaired: kto({ beta }),
  dpo_plus_half_nll: combine([{ loss: dpo({ beta }), weight: 1 }, { loss: sft(), weight: 0.5 }]),
};

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);
const norm = (sets: Iterable<ArrayLike<number>>) =>
  Math.sqrt(
    [...sets].reduce((total, values) => total + Array.from(values).reduce((s, x) => s + x * x, 0), 0),
  );

/** Sequences of the batch in the fixture's order: all chosen, then all rejected. */
const inFixtureOrder = (values: ArrayLike<number>) => [0, 2, 4, 1, 3, 5].map((i) => values[i]!);

const chosenTokens = ({ batch }: Expectation) =>
  sum([0, 1, 2].map((i) => batch.sequences[i]!.length - batch.prompt_lengths[i]!));

/** Fixtures that were computed for DPO alone. */
const dpoCases = ["qwen3", "mistral-window"];

for (const name of [...cases, ...dpoCases]) {
  for (const [lossName, definition] of Object.entries(losses)) {
    if (lossName !== "dpo" && dpoCases.includes(name)) continue;
    Deno.test(`${name}: loss ${lossName} and every gradient agree with PyTorch`, async () => {
      const loss = compileLoss(definition);
      const unpaired = loss.kind === "unpaired";
      const { engine, expected, batch, shape, read } = await fixtureEngine(name, {
        loss,
        ...(unpaired
          ? { groups: ({ batch }: Expectation) => fixtureSingles(batch.sequences, batch.prompt_lengths) }
          : {}),
      });
      const records = unpaired ? 6 : 3;
      if (!unpaired) engine.beginStep(); // the unpaired fixture's mismatched sums are there already
      const outputs = await engine.accumulate(batch, {
        shape,
        records,
        labels: unpaired ? [1, 1, 1, 0, 0, 0] : [],
        stepRecords: records,
        stepTokens: chosenTokens(expected),
      }).read();
      const wanted = expected.losses[lossName]!;
      assertRelative(sum(outputs.losses!), wanted.value, { tolerance: 1e-4, what: "loss" });
      const policy = unpaired ? outputs.policy! : inFixtureOrder(outputs.policy!);
      const reference = unpaired ? outputs.reference! : inFixtureOrder(outputs.reference!);
      assertAllWithin(policy, expected.policy.sequence_logps, { tolerance: 5e-4, what: "policy log-probs" });
      assertAllWithin(reference, expected.reference.sequence_logps, {
        tolerance: 5e-4,
        what: "reference log-probs",
      });

      const gradients = await read(engine.sets.gradients);
      assertRelative(norm(gradients.values()), wanted.grad_global_norm, {
        tolerance: 1e-4,
        what: "gradient norm",
      });
      for (const [tensor, summary] of Object.entries(wanted.grads)) {
        assertSummary(gradients.get(tensor)!, summary, { tolerance: 2e-4, what: tensor });
      }
    });
  }
}

for (const name of cases) {
  for (const variant of ["no_clip", "clip1.0", "weight_decay0.5"]) {
    Deno.test(`${name}: one AdamW step agrees with PyTorch (${variant})`, async () => {
      const fixture = await fixtureEngine(name, {
        loss: compileLoss(losses.dpo!),
        maxGradNorm: variant === "clip1.0" ? 1 : null,
        weightDecay: variant === "weight_decay0.5" ? 0.5 : 0.01,
      });
      const { engine, expected, read } = fixture;
      const wanted = expected.adamw_step[variant]!;
      await trainStep(fixture);
      const { norm: [gradientNorm] } = await engine.update({ learningRate: 1e-3, step: 1 }).read() as {
        norm: Float32Array;
      };
      assertRelative(gradientNorm!, wanted.grad_norm, { tolerance: 1e-4, what: "gradient norm" });
      const first = await read(engine.sets.first);
      const second = await read(engine.sets.second);
      assertRelative(norm(first.values()), wanted.exp_avg_global_l2, {
        tolerance: 2e-4,
        what: "first moments",
      });
      assertRelative(norm(second.values()), wanted.exp_avg_sq_global_l2, {
        tolerance: 2e-4,
        what: "second moments",
      });
      for (const [tensor, values] of await read(engine.sets.policy)) {
        const noise = expected.zero_gradient_entries?.[tensor] ?? [];
        assertSummary(values, wanted.params[tensor]!, { tolerance: 5e-5, what: tensor, noise });
      }
      const after = await trainStep(fixture);
      assertRelative(sum(after.losses!), wanted.loss_after, { tolerance: 2e-4, what: "loss after the step" });
    });
  }

  const strategies: Record<string, { strategy: ReferenceStrategy; maxGradNorm: number | null }> = {
    "frozen": { strategy: frozen(), maxGradNorm: null },
    "soft_alpha0.6_tau1": { strategy: soft({ alpha: 0.6, every: 1 }), maxGradNorm: null },
    "soft_alpha0.6_tau2": { strategy: soft({ alpha: 0.6, every: 2 }), maxGradNorm: null },
    "hard_tau3": { strategy: hard({ every: 3 }), maxGradNorm: null },
    "frozen_clip1.0": { strategy: frozen(), maxGradNorm: 1 },
  };
  for (const [trajectory, { strategy, maxGradNorm }] of Object.entries(strategies)) {
    Deno.test(`${name}: six steps of TR-DPO agree with PyTorch (${trajectory})`, async () => {
      const fixture = await fixtureEngine(name, { loss: compileLoss(losses.dpo!), maxGradNorm });
      const { engine, expected, batch, shape, read } = fixture;
      const wanted = expected.trajectories[trajectory]!;
      const clipped = maxGradNorm !== null;
      for (let step = 1; step <= 6; step++) {
        const outputs = await trainStep(fixture);
        const what = `step ${step}`;
        assertRelative(sum(outputs.losses!), wanted.losses[step - 1]!, {
          tolerance: clipped ? 5e-4 : 2e-4,
          what: `${what} loss`,
        });
        const update = await engine.update({ learningRate: 1e-3, step }).read();
        assertRelative(update.norm![0]!, wanted.steps[step - 1]!.grad_norm, {
          tolerance: clipped ? 5e-4 : 2e-4,
          what: `${what} gradient norm`,
        });
        const alpha = strategy({ step, totalSteps: 6 });
        if (alpha > 0) engine.moveReference(alpha);
      }
      const tolerance = clipped ? 5e-3 : 2e-3;
      const policy = await engine.score(batch, { policy: "policy", shape }).read();
      const reference = await engine.score(batch, { policy: "reference", shape }).read();
      const initial = await engine.score(batch, { policy: "initial", shape }).read();
      assertAllWithin(inFixtureOrder(policy.sequence!), wanted.final_policy_sequence_logps, {
        tolerance,
        what: "policy",
      });
      assertAllWithin(inFixtureOrder(reference.sequence!), wanted.final_reference_sequence_logps, {
        tolerance,
        what: "reference",
      });
      assertAllWithin(inFixtureOrder(initial.sequence!), expected.reference.sequence_logps, {
        tolerance: 5e-4,
        what: "initial reference",
      });
      assertRelative(norm((await read(engine.sets.policy)).values()), wanted.final_policy_global_l2, {
        tolerance: 5e-5,
        what: "norm of the policy",
      });
    });
  }
}

function trainStep(
  { engine, expected, batch, shape }: FixtureEngine & Awaited<ReturnType<typeof fixtureEngine>>,
) {
  engine.beginStep();
  return engine.accumulate(batch, {
    shape,
    labels: [],
    records: 3,
    stepRecords: 3,
    stepTokens: chosenTokens(expected),
  })
    .read();
}
