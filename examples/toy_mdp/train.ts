/** Training of all cells of a problem, for all seeds at once. */
import type { Device } from "@tr/align/kernels";
import { type CompiledLoss, compileLoss, type PairedLossResult } from "@tr/align/losses";
import { type Measurement, MEASUREMENTS_SHOWN } from "@tr/align/reference";
import { type Comparison, createLearners } from "./learners.ts";
import { measure, type Measures } from "./measure.ts";
import { drawPairs } from "./pairs.ts";
import { type Cell, cellsOf, losses, type Problem, type Settings, strategies } from "./settings.ts";
import type { Pair } from "./tree.ts";

/** A policy after some steps of preference training. */
export interface CurvePoint extends Measures {
  /** Steps. */
  readonly step: number;
  /** Mean σ(z)σ(−z) over the pairs, z their margins against the reference as it is. */
  readonly curvature: number;
  /** Times that the reference has moved. */
  readonly updates: number;
}

/** What became of one network. */
export interface Curve extends Cell {
  /** Its seed. */
  readonly seed: number;
  /** From the initial policy to the last step. */
  readonly points: readonly CurvePoint[];
}

interface Run extends Cell {
  readonly seed: number;
  readonly pairs: readonly Pair[];
  readonly compiled: CompiledLoss;
  readonly points: CurvePoint[];
  lastUpdate: number;
  updates: number;
  measured: Measurement[];
}

/**
 * Trains on a problem: first by supervision on chosen and rejected trajectories alike, then with every loss and reference.
 *
 * A seed's preferences, network and initial policy are the same in all cells.
 *
 * @param options.onStep Is told how many steps of preference training are done.
 */
export async function trainProblem(
  device: Device,
  { problem, settings, onStep = () => {} }: {
    problem: Problem;
    settings: Settings;
    onStep?: (step: number) => void;
  },
): Promise<Curve[]> {
  const { depth, width, seeds, steps, learningRate, every } = settings;
  const runs: Run[] = cellsOf(problem, settings).flatMap((cell) => {
    const compiled = compileLoss(losses[cell.loss]!(cell.beta));
    return seeds.map((seed) => ({
      ...cell,
      seed,
      pairs: drawPairs(seed, { ...problem, depth }),
      compiled,
      points: [],
      lastUpdate: 0,
      updates: 0,
      measured: [],
    }));
  });
  const learners = await createLearners(device, {
    depth,
    width,
    learners: runs.map(({ seed, pairs }) => ({
      seed,
      sequences: pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]),
    })),
  });
  const sequences = 2 * problem.pairs; // of a learner: chosen, rejected, chosen, …
  const derivatives = new Float32Array(runs.length * sequences).fill(-1 / sequences);
  for (let step = 0; step < settings.warmupSteps; step++) {
    learners.step(derivatives, { learningRate: settings.warmupRate });
  }
  learners.resetOptimizer();
  learners.moveReferences(new Float32Array(runs.length).fill(1));
  const initial = await learners.enumerate();
  const edges = initial.length / runs.length;

  for (let step = 0; step <= steps; step++) {
    const compared = await learners.compare();
    const logProbs = step % every === 0 || step === steps ? await learners.enumerate() : undefined;
    runs.forEach((run, index) => {
      const { gradients, curvature } = evaluate(run.compiled, compared, {
        first: index * sequences,
        pairs: problem.pairs,
      });
      for (let pair = 0; pair < problem.pairs; pair++) {
        const at = index * sequences + 2 * pair;
        derivatives[at] = gradients.chosen[pair]!;
        derivatives[at + 1] = gradients.rejected[pair]!;
      }
      const divergences = compared.divergence.subarray(index * sequences, (index + 1) * sequences);
      const kl = divergences.reduce((sum, value) => sum + value, 0) / sequences;
      run.measured = [...run.measured, { step, kl, curvature }].slice(-MEASUREMENTS_SHOWN);
      if (logProbs === undefined) return;
      const own = (all: Float32Array) => all.subarray(index * edges, (index + 1) * edges);
      const measures = measure({ policy: own(logProbs), initial: own(initial) }, { pairs: run.pairs, depth });
      run.points.push({ step, ...measures, curvature, updates: run.updates });
    });
    if (step === steps) break;
    learners.step(derivatives, { learningRate });
    const alphas = runs.map((run) => decide(run, { step: step + 1, totalSteps: steps }));
    if (alphas.some((alpha) => alpha > 0)) learners.moveReferences(alphas);
    onStep(step + 1);
  }
  learners.destroy();
  return runs.map(({ problem, loss, beta, reference, seed, points }) => ({
    problem,
    loss,
    beta,
    reference,
    seed,
    points,
  }));
}

/** A learner's loss over its pairs, whose sums lie from `first` on: chosen, rejected, chosen, …. */
function evaluate(
  loss: CompiledLoss,
  { policy, reference }: Comparison,
  { first, pairs }: { first: number; pairs: number },
): PairedLossResult {
  const side = (sums: Float32Array, offset: number) =>
    Float32Array.from({ length: pairs }, (_, pair) => sums[first + 2 * pair + offset]!);
  return loss.evaluate({
    records: {
      policyChosen: side(policy, 0),
      policyRejected: side(policy, 1),
      referenceChosen: side(reference, 0),
      referenceRejected: side(reference, 1),
    },
  });
}

/** The reference's share of the policy after a step; notes it if it moves. */
function decide(run: Run, progress: { step: number; totalSteps: number }): number {
  const { lastUpdate, measured } = run;
  const alpha = strategies[run.reference]!({ ...progress, lastUpdate, measured });
  if (alpha > 0) {
    run.lastUpdate = progress.step;
    run.updates++;
    run.measured = [];
  }
  return alpha;
}
