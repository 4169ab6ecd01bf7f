import { assert, assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { conclude } from "../../examples/toy_mdp/conclusion.ts";
import { createLearners } from "../../examples/toy_mdp/learners.ts";
import { measure } from "../../examples/toy_mdp/measure.ts";
import { featureCount, initialWeights } from "../../examples/toy_mdp/network.ts";
import { drawPairs } from "../../examples/toy_mdp/pairs.ts";
import { fullSettings, type Settings, strategies } from "../../examples/toy_mdp/settings.ts";
import { hasRecovered, summarize } from "../../examples/toy_mdp/summary.ts";
import { type Curve, type CurvePoint, trainProblem } from "../../examples/toy_mdp/train.ts";
import { edgesOf, leafIndex, sequencesOf, trajectoryLogProbs } from "../../examples/toy_mdp/tree.ts";
import { runToyMdp } from "../../examples/toy_mdp.ts";
import { testDevice } from "../kernels/harness.ts";
import {
  actionLogProbs,
  createAdam,
  dpoLossOf,
  logProb,
  type Sizes,
  type Weights,
} from "./toy_mdp/reference.ts";

const device = await testDevice();

const small: Settings = {
  ...fullSettings,
  depth: 2,
  width: 4,
  seeds: [3],
  problems: [{ name: "small", pairs: 1, shared: 0 }],
  betas: [0.5],
  warmupSteps: 3,
  steps: 18,
  learningRate: 1e-2,
  every: 9,
};
const sizes: Sizes = { depth: 2, width: 4, features: featureCount(2), outputs: 4 };

/** The weights that the example starts from, in float64. */
function startOf(seed: number): Weights {
  const { features, width, outputs } = sizes;
  const shapes = [[features, width], [width, width], [width, outputs]] as const;
  return shapes.map((shape, layer) => Float64Array.from(initialWeights(shape, { seed, layer })));
}

Deno.test("sequences, edges and leaves of the tree come in one order", () => {
  assertEquals(sequencesOf(2)[5], [1, 2]);
  assertEquals(sequencesOf(3).map(leafIndex), Array.from({ length: 27 }, (_, i) => i));
  assertEquals(edgesOf(2).length, 3 + 9);
  assertEquals(edgesOf(2)[3 + 5], { prefix: [1], action: 2 });
});

Deno.test("trajectoryLogProbs adds up the edges along each trajectory", () => {
  const edges = Array.from({ length: 12 }, (_, i) => 2 ** i); // a sum tells which edges are in it
  assertEquals(trajectoryLogProbs(edges, 2)[leafIndex([1, 2])], 2 ** 1 + 2 ** (3 + 5));
});

Deno.test("the probabilities of all trajectories add up to 1 and are those of the network in float64", async () => {
  const seeds = [0, 7];
  const learners = await createLearners(device, {
    depth: 2,
    width: 4,
    learners: seeds.map((seed) => ({ seed, sequences: [[0, 1], [2, 0]] })),
  });
  const edges = await learners.enumerate();
  seeds.forEach((seed, index) => {
    const logProbs = trajectoryLogProbs(edges.subarray(12 * index, 12 * (index + 1)), 2);
    assertAlmostEquals(logProbs.reduce((sum, value) => sum + Math.exp(value), 0), 1, 1e-6);
    sequencesOf(2).forEach((trajectory, leaf) =>
      assertAlmostEquals(logProbs[leaf]!, logProb(startOf(seed), trajectory, sizes), 1e-5)
    );
  });
  learners.destroy();
});

Deno.test("measure gives the KL, and the shares of chosen, rejected and other trajectories", () => {
  // By hand: 1/2 log(3/2) + 1/4 log(3/4) + 1/4 log(3/4) at the start; after action 0 alone 2/3, 1/6, 1/6 against thirds.
  const third = Math.log(1 / 3);
  const policy = [1 / 2, 1 / 4, 1 / 4, 2 / 3, 1 / 6, 1 / 6].map(Math.log).concat(Array(6).fill(third));
  const { chosen, rejected, ood, kl } = measure({ policy, initial: Array(12).fill(third) }, {
    depth: 2,
    pairs: [{ chosen: [0, 0], rejected: [1, 2] }, { chosen: [0, 0], rejected: [0, 1] }],
  });
  assertAlmostEquals(chosen, 1 / 3, 1e-12);
  assertAlmostEquals(rejected, 1 / 12 + 1 / 12, 1e-12);
  assertAlmostEquals(ood, 1 / 2, 1e-12);
  const start = Math.log(3 / 2) / 2 + Math.log(3 / 4) / 2;
  const afterFirst = Math.log(2) * 2 / 3 + Math.log(1 / 2) / 3;
  assertAlmostEquals(kl, start + afterFirst / 2, 1e-12);
});

Deno.test("compare sums log-probs and KL(policy ‖ reference) along each sequence", async () => {
  const sequences = [[0, 1], [2, 0], [1, 1]]; // six rows, which are filled up
  const learners = await createLearners(device, {
    depth: 2,
    width: 4,
    learners: [5, 6].map((seed) => ({ seed, sequences })),
  });
  learners.moveReferences([0.25, 1]); // from zero weights, whose actions all are as likely
  const { policy, reference, divergence } = await learners.compare();
  const first = startOf(5);
  const references = [first.map((values) => values.map((value) => 0.25 * value)), startOf(6)];
  [first, startOf(6)].forEach((weights, learner) =>
    sequences.forEach((trajectory, i) => {
      assertAlmostEquals(policy[3 * learner + i]!, logProb(weights, trajectory, sizes), 1e-5);
      assertAlmostEquals(
        reference[3 * learner + i]!,
        logProb(references[learner]!, trajectory, sizes),
        1e-5,
      );
      const wanted = trajectory.reduce((sum, _, t) => {
        const other = actionLogProbs(references[learner]!, trajectory.slice(0, t), sizes);
        return actionLogProbs(weights, trajectory.slice(0, t), sizes)
          .reduce((total, value, action) => total + Math.exp(value) * (value - other[action]!), sum);
      }, 0);
      assertAlmostEquals(divergence[3 * learner + i]!, wanted, 1e-5);
    })
  );
  assertEquals(divergence.slice(3), new Float32Array(3)); // a copy is at no distance
  learners.destroy();
});

Deno.test("training follows float64 with finite differences, with a frozen and with a moved reference", async () => {
  for (const pairs of [1, 2]) {
    const problem = { name: "small", pairs, shared: 0 };
    const curves = await trainProblem(device, { problem, settings: small });
    const drawn = drawPairs(3, { pairs, shared: 0, depth: 2 });
    for (const [name, moves] of [["frozen", false], ["soft", true]] as const) {
      const weights = startOf(3);
      const warmUp = createAdam(weights, small.warmupRate);
      const sequences = drawn.flatMap(({ chosen, rejected }) => [chosen, rejected]);
      for (let step = 0; step < small.warmupSteps; step++) {
        warmUp((own) =>
          -sequences.reduce((sum, each) => sum + logProb(own, each, sizes), 0) / sequences.length
        );
      }
      let reference = weights.map((values) => values.slice());
      const adam = createAdam(weights, small.learningRate);
      for (let step = 1; step <= small.steps; step++) {
        adam((own) => dpoLossOf(own, { pairs: drawn, reference, beta: 0.5, sizes }));
        if (moves && step === 16) { // soft: α = 0.6 every 16 steps
          reference = reference.map((values, k) =>
            values.map((value, i) => 0.6 * weights[k]![i]! + 0.4 * value)
          );
        }
      }
      const probability = (side: "chosen" | "rejected") =>
        drawn.reduce((sum, pair) => sum + Math.exp(logProb(weights, pair[side], sizes)), 0);
      const curve = curves.find(({ loss, reference }) => loss === "DPO" && reference === name)!;
      const end = curve.points.at(-1)!;
      assertAlmostEquals(end.chosen, probability("chosen"), 1e-4);
      assertAlmostEquals(end.rejected, probability("rejected"), 1e-4);
      const curvatures = drawn.map(({ chosen, rejected }) => {
        const margin = (own: Weights) => logProb(own, chosen, sizes) - logProb(own, rejected, sizes);
        const z = 0.5 * (margin(weights) - margin(reference));
        return 1 / (1 + Math.exp(-z)) / (1 + Math.exp(z));
      });
      assertAlmostEquals(end.curvature, curvatures.reduce((sum, value) => sum + value, 0) / pairs, 1e-4);
      assertEquals(end.updates, moves ? 1 : 0);
    }
  }
});

Deno.test("a learner is what it would be alone, whatever learns beside it", async () => {
  const problem = small.problems[0]!;
  const together = await trainProblem(device, { problem, settings: { ...small, seeds: [3, 4] } });
  const alone = await trainProblem(device, { problem, settings: small });
  for (const curve of alone) {
    const same = together.find(({ loss, reference, seed }) =>
      loss === curve.loss && reference === curve.reference && seed === 3
    )!;
    curve.points.forEach(({ chosen, kl }, i) => {
      assertAlmostEquals(same.points[i]!.chosen, chosen, 1e-5);
      assertAlmostEquals(same.points[i]!.kl, kl, 1e-5);
    });
  }
});

Deno.test("drawPairs gives other trajectories for other seeds, shares first actions, and refuses what can't be", () => {
  const options = { depth: 3, pairs: 3, shared: 1 };
  assertEquals(drawPairs(1, options), drawPairs(1, options));
  assert(JSON.stringify(drawPairs(1, options)) !== JSON.stringify(drawPairs(2, options)));
  for (let seed = 0; seed < 20; seed++) {
    const pairs = drawPairs(seed, options);
    for (const { chosen, rejected } of pairs) assertEquals(chosen[0], rejected[0]);
    assertEquals(new Set(pairs.flatMap(({ chosen, rejected }) => [chosen.join(), rejected.join()])).size, 6);
  }
  assertThrows(() => drawPairs(0, { depth: 1, pairs: 1, shared: 0 }), RangeError, "pairs is 1; a tree of 3");
  assertThrows(() => drawPairs(0, { depth: 2, pairs: 1, shared: 2 }), RangeError, "shared is 2");
});

Deno.test("the conclusion counts what the numbers say", () => {
  const curve = (reference: string, seed: number, ends: { ood: number; chosen: number[] }): Curve => ({
    problem: "one pair",
    loss: "DPO",
    beta: 0.05,
    reference,
    seed,
    points: ends.chosen.map((chosen, step): CurvePoint => ({
      step,
      chosen,
      rejected: 0,
      ood: step === 0 ? 0.1 : ends.ood,
      kl: 1,
      curvature: 0.25,
      updates: 0,
    })),
  });
  const summaries = summarize([0, 1].flatMap((seed) => [
    curve("frozen", seed, { ood: 0.6, chosen: [0.4, 0.3, 0.35] }),
    curve("soft", seed, { ood: 0.3, chosen: [0.4, 0.2, 0.7] }),
    curve("hard", seed, { ood: 0.9, chosen: [0.4, 0.2, 0.001] }),
    curve("adaptive", seed, { ood: seed === 0 ? 0.5 : 0.7, chosen: [0.4, 0.5, 0.3] }),
  ]));
  const text = conclude(summaries);
  assertStringIncludes(text, "grew in 1 of 1 settings (DPO 1)");
  assertStringIncludes(
    text,
    "less OOD mass than with the frozen one in 1 of 3 comparisons (DPO 1), with more in 1 (DPO 1), and with no clear difference in the other 1",
  );
  assertStringIncludes(text, "ended above its start in 33 % of runs and ended below 0.01 in 33 %.");
  assert(hasRecovered([0.4, 0.2, 0.5]) && !hasRecovered([0.4, 0.5, 0.6]) && !hasRecovered([0.4, 0.2, 0.3]));
});

Deno.test("runToyMdp writes picture, page and numbers, the same bytes each time", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const settings: Settings = { ...small, steps: 4, every: 2 };
    const lines: string[] = [];
    await runToyMdp(settings, { output: `${directory}/a`, onProgress: (line) => lines.push(line) });
    await runToyMdp(settings, { output: `${directory}/b` });
    const read = (name: string) => Deno.readTextFile(`${directory}/${name}`);
    for (const name of ["toy_mdp.svg", "report.html", "numbers.json"]) {
      assertEquals(await read(`a/${name}`), await read(`b/${name}`), name);
    }
    const { cells, conclusion } = JSON.parse(await read("a/numbers.json"));
    assertEquals(cells.length, 3 * Object.keys(strategies).length);
    assertEquals(cells[0].seeds[0].ood.length, 3); // steps 0, 2 and 4
    assertStringIncludes(await read("a/report.html"), conclusion.slice(0, 60));
    assertStringIncludes(await read("a/report.html"), "re-creation");
    assertEquals(lines.length, 1);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
