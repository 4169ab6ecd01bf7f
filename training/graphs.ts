/** The graphs of an engine: what each of its programs computes. */
import type { BatchShape } from "../data/pack.ts";
import type { Device } from "../kernels/device.ts";
import { backward, createGraph, type Graph, input, output } from "../kernels/graph.ts";
import { adamw, gradientNorm, mixAverage, mixParameters } from "../kernels/optimizer.ts";
import { mismatchedTerms, preferenceLoss } from "../kernels/preference_loss.ts";
import { takeSnapshot } from "../kernels/snapshot.ts";
import type { Tensor } from "../kernels/tensor.ts";
import type { Checkpointing, Weights } from "../models/transformer.ts";
import {
  type BatchInputs,
  batchInputs,
  type CompletionLogProbs,
  completionLogProbs,
} from "../models/log_probs.ts";
import { rotaryTables } from "../models/rotary_tables.ts";
import type { EngineOptions, EngineSets, PolicyName } from "./engine_options.ts";
import type { Packing } from "./packing.ts";
import { comparedPolicies, isMoving, policyWeights } from "./sets.ts";

/** What the programs of an engine are built of. */
export interface GraphParts {
  /** The engine's options. */
  readonly options: EngineOptions;
  /** Its parameter sets. */
  readonly sets: EngineSets;
  /** [4], the step's sums over mismatched sequences. */
  readonly mismatchedSums: Tensor;
  /** What the model reads of a batch. */
  readonly packing: Packing;
  /** Which activations the backward passes compute again. */
  readonly checkpointing: Checkpointing;
}

/** The models that a policy is compared with, under the names of the outputs. */
type OtherName = "reference" | "initial";

/** Names a program of a shape. */
export const programName = (kind: string, { rows, slots }: BatchShape): string => `${kind} ${rows}×${slots}`;

/** The kind of program for all micro-batches of a step but the first, which starts the gradient. */
export const adding = (kind: string): string => `${kind}, adding`;

/** Records the graph of every program of a run, by name. */
export function buildGraphs(device: Device, parts: GraphParts): Map<string, Graph> {
  const { options, sets, checkpointing } = parts;
  const { config, loss, logWeights = false, accumulate = 1 } = options;
  const tables = rotaryTables(device, config, { positions: options.maxLength });
  const graphs = new Map<string, Graph>();
  const build = (name: string, record: (graph: Graph) => void) => {
    const graph = createGraph(device);
    record(graph);
    graphs.set(name, graph);
  };
  const logProbs: LogProbs = (graph, weights, rest) =>
    completionLogProbs(graph, weights, { config, tables, checkpointing, ...rest });
  const inputs = (graph: Graph, shape: BatchShape) => batchInputs(graph, shape, parts.packing.inputs);
  const known = comparedPolicies(options.reference);
  const moves = isMoving(options.reference);
  const weightsOf = (name: PolicyName) => policyWeights(name, { sets, lora: options.lora });
  /** A program that ends in a backward pass: as the first micro-batch of a step runs it, and as the others do. */
  const buildTraining = (
    kind: string,
    { shape, record }: { shape: BatchShape; record: (graph: Graph, starts: boolean) => void },
  ) => {
    build(programName(kind, shape), (graph) => record(graph, true));
    if (accumulate > 1) build(programName(adding(kind), shape), (graph) => record(graph, false));
  };

  for (const shape of options.shapes) {
    if (loss !== null) {
      const others = loss.needs.reference ? known.filter((name) => name === "reference") : [];
      const train = (kind: string, others: readonly OtherName[]) =>
        buildTraining(kind, {
          shape,
          record: (graph, starts) =>
            recordTraining(graph, {
              ...parts,
              shape,
              starts,
              others,
              logProbs,
              batch: inputs(graph, shape),
            }),
        });
      train("train", others);
      if (loss.needs.reference && moves) train("train, initial", known);
    }
    if (options.seeded) {
      buildTraining("seeded", {
        shape,
        record: (graph, starts) => {
          const batch = inputs(graph, shape);
          const derivatives = input(graph, "derivatives", { shape: [shape.sequences] });
          const policy = logProbs(graph, trainedWeights(parts), { batch }).sequence;
          backward(graph, new Map([[policy, derivatives]]), { replacing: replacedGradients(sets, starts) });
          output(graph, "policy", policy);
        },
      });
    }
    if (known.length > 0) {
      build(programName("compare", shape), (graph) => {
        const batch = inputs(graph, shape);
        const others = known.map(weightsOf);
        const compared = logProbs(graph, weightsOf("policy"), { batch, others, logWeights });
        output(graph, "policy", compared.sequence);
        outputLogWeights(graph, compared);
        outputOthers(graph, known, compared);
      });
    }
    for (const name of ["policy", ...known] as const) {
      build(programName(name, shape), (graph) => {
        const scored = logProbs(graph, weightsOf(name), {
          batch: inputs(graph, shape),
          logWeights: logWeights && name === "policy",
        });
        output(graph, "token", scored.token);
        output(graph, "sequence", scored.sequence);
        outputLogWeights(graph, scored);
      });
    }
  }
  for (const shape of loss?.needs.mismatched ? options.mismatchedShapes ?? [] : []) {
    build(
      programName("mismatched", shape),
      (graph) => recordMismatched(graph, { ...parts, shape, logProbs }),
    );
  }
  build("update", (graph) => recordUpdate(graph, parts));
  if (moves || (options.lora?.continued && sets.reference !== null)) {
    build("move reference", (graph) => recordMove(graph, parts));
  }
  return graphs;
}

/** The policy with the gradients of what is trained. */
function trainedWeights({ sets, options: { lora } }: Pick<GraphParts, "sets" | "options">): Weights {
  return policyWeights("policy", { sets, lora, trained: true });
}

/** The gradients that a backward pass replaces: all in a step's first, none in those that follow. */
function replacedGradients({ gradients }: EngineSets, starts: boolean): Tensor[] {
  if (!starts) return [];
  return [...gradients.layout.entries.keys()].flatMap((name) => gradients.get(name) ?? []);
}

/** θ_ref ← α θ + (1 − α) θ_ref: a mix of weights, or of adapters as a stack of snapshots. */
function recordMove(graph: Graph, { options: { lora }, sets }: GraphParts): void {
  const move = input(graph, "move", { shape: [4] });
  if (lora === undefined) {
    const { policy, initial, average } = sets;
    const reference = sets.reference!;
    if (average === null) mixParameters(graph, { reference, policy }, { alpha: move });
    else mixAverage(graph, { reference, average, policy, initial: initial! }, { alpha: move });
    return;
  }
  const count = lora.snapshots;
  const factors = input(graph, "factors", { shape: [count] });
  const stacks = policyWeights("reference", { sets, lora }).adapters!;
  for (const [name, adapter] of policyWeights("policy", { sets, lora }).adapters!) {
    takeSnapshot(graph, stacks.get(name)!, { adapter, count, move, factors });
  }
}

type LogProbs = (
  graph: Graph,
  weights: Weights,
  options: { batch: BatchInputs; others?: readonly Weights[]; logWeights?: boolean },
) => CompletionLogProbs;

/** Forward of the policy and of those it is compared with, the loss, and backward. */
function recordTraining(
  graph: Graph,
  { options, sets, mismatchedSums, shape, starts, others, logProbs, batch }: GraphParts & {
    shape: BatchShape;
    /** Whether the gradient starts from zero. */
    starts: boolean;
    batch: BatchInputs;
    others: readonly OtherName[];
    logProbs: LogProbs;
  },
): void {
  const { sequencesPerRecord } = options;
  const loss = options.loss!;
  const { logWeights } = loss.needs;
  const weights = others.map((name) => policyWeights(name, { sets, lora: options.lora }));
  const policy = trainedWeights({ options, sets });
  const compared = logProbs(graph, policy, { batch, others: weights, logWeights });
  const reference = others[0] === "reference" ? compared.others[0]!.sequence : undefined;
  const losses = preferenceLoss(graph, compared.sequence, {
    formula: loss,
    sequencesPerRecord,
    lengths: batch.lengths,
    labels: input(graph, "labels", { shape: [shape.sequences / sequencesPerRecord] }),
    shares: input(graph, "shares", { shape: [4] }),
    ...(reference ? { reference } : {}),
    ...(loss.needs.mismatched ? { mismatched: mismatchedSums } : {}),
    ...(compared.logWeights ? { logWeights: compared.logWeights } : {}),
  });
  backward(graph, new Map([[losses, losses]]), { replacing: replacedGradients(sets, starts) });
  output(graph, "policy", compared.sequence);
  output(graph, "losses", losses);
  outputLogWeights(graph, compared);
  outputOthers(graph, others, compared);
}

function outputLogWeights(graph: Graph, { logWeights }: CompletionLogProbs): void {
  if (logWeights !== undefined) output(graph, "log_weights", logWeights);
}

function outputOthers(graph: Graph, names: readonly OtherName[], { others }: CompletionLogProbs): void {
  names.forEach((name, i) => {
    output(graph, name, others[i]!.sequence);
    output(graph, `kl/${name}`, others[i]!.divergence);
  });
}

/** The step's sums over mismatched sequences; no gradient. */
function recordMismatched(
  graph: Graph,
  { options, sets, mismatchedSums, packing, shape, logProbs }: GraphParts & {
    shape: BatchShape;
    logProbs: LogProbs;
  },
): void {
  const batch = batchInputs(graph, shape, packing.inputs);
  const weightsOf = (name: PolicyName) => policyWeights(name, { sets, lora: options.lora });
  const reference = logProbs(graph, weightsOf("reference"), { batch }).sequence;
  const policy = logProbs(graph, weightsOf("policy"), { batch }).sequence;
  mismatchedTerms(graph, policy, {
    formula: options.loss!,
    reference,
    lengths: batch.lengths,
    shares: input(graph, "shares", { shape: [4] }),
    into: mismatchedSums,
  });
  output(graph, "policy", policy);
  output(graph, "reference", reference);
}

/** Norm, clipping and AdamW. */
function recordUpdate(graph: Graph, { options: { optimizer }, sets }: GraphParts): void {
  const step = input(graph, "step", { shape: [4] });
  const norm = gradientNorm(graph, sets.gradients, { limit: optimizer.maxGradNorm });
  const { policy: parameters, gradients, first, second } = sets;
  adamw(graph, { parameters, gradients, first, second }, { ...optimizer, step, norm });
  output(graph, "norm", norm);
}
