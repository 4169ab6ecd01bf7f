/** The graphs of an engine: what each of its programs computes. */
import type { BatchShape } from "../data/pack.ts";
import type { Device } from "../kernels/device.ts";
import { backward, createGraph, type Graph, input, output } from "../kernels/graph.ts";
import { adamw, gradientNorm, mixAverage, mixParameters } from "../kernels/optimizer.ts";
import type { ParameterSet } from "../kernels/parameters.ts";
import { mismatchedTerms, preferenceLoss } from "../kernels/preference_loss.ts";
import type { Tensor } from "../kernels/tensor.ts";
import type { Weights } from "../models/llama.ts";
import {
  type BatchInputs,
  batchInputs,
  type CompletionLogProbs,
  completionLogProbs,
} from "../models/log_probs.ts";
import { rotaryTables } from "../models/rotary_tables.ts";
import type { EngineOptions, EngineSets } from "./engine_options.ts";

/** What the programs of an engine are built of. */
export interface GraphParts {
  /** The engine's options. */
  readonly options: EngineOptions;
  /** Its parameter sets. */
  readonly sets: EngineSets;
  /** [4], the step's sums over mismatched sequences. */
  readonly mismatchedSums: Tensor;
}

/** The models that a policy is compared with, under the names of the outputs. */
type OtherName = "reference" | "initial";

/** Names a program of a shape. */
export const programName = (kind: string, { rows, slots }: BatchShape): string => `${kind} ${rows}×${slots}`;

/** Records the graph of every program of a run, by name. */
export function buildGraphs(device: Device, parts: GraphParts): Map<string, Graph> {
  const { options, sets } = parts;
  const { config, loss } = options;
  const tables = rotaryTables(device, config, { positions: options.maxLength });
  const graphs = new Map<string, Graph>();
  const build = (name: string, record: (graph: Graph) => void) => {
    const graph = createGraph(device);
    record(graph);
    graphs.set(name, graph);
  };
  const logProbs: LogProbs = (graph, weights, { batch, others = [] }) =>
    completionLogProbs(graph, weights, { config, batch, tables, others });
  const known = (["reference", "initial"] as const).filter((name) => sets[name] !== null);

  for (const shape of options.shapes) {
    if (loss !== null) {
      const others = loss.needs.reference ? known.filter((name) => name === "reference") : [];
      build(
        programName("train", shape),
        (graph) => recordTraining(graph, { ...parts, shape, others, logProbs }),
      );
      if (loss.needs.reference && sets.initial !== null) {
        build(
          programName("train, initial", shape),
          (graph) => recordTraining(graph, { ...parts, shape, others: known, logProbs }),
        );
      }
    }
    if (options.seeded) {
      build(programName("seeded", shape), (graph) => {
        const batch = batchInputs(graph, shape);
        const derivatives = input(graph, "derivatives", { shape: [shape.sequences] });
        const policy = logProbs(graph, sets.policy.tensors, { batch }).sequence;
        backward(graph, new Map([[policy, derivatives]]));
        output(graph, "policy", policy);
      });
    }
    if (known.length > 0) {
      build(programName("compare", shape), (graph) => {
        const others = known.map((name) => forwardOnly(sets[name]!));
        const batch = batchInputs(graph, shape);
        const compared = logProbs(graph, forwardOnly(sets.policy), { batch, others });
        output(graph, "policy", compared.sequence);
        outputOthers(graph, known, compared);
      });
    }
    for (const name of ["policy", ...known] as const) {
      build(programName(name, shape), (graph) => {
        const { token, sequence } = logProbs(graph, forwardOnly(sets[name]!), {
          batch: batchInputs(graph, shape),
        });
        output(graph, "token", token);
        output(graph, "sequence", sequence);
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
  if (sets.initial !== null) {
    build("move reference", (graph) => {
      const alpha = input(graph, "alpha", { shape: [4] });
      const { policy, initial, average } = sets;
      const reference = sets.reference!;
      if (average === null) mixParameters(graph, { reference, policy }, { alpha });
      else mixAverage(graph, { reference, average, policy, initial: initial! }, { alpha });
    });
  }
  return graphs;
}

type LogProbs = (
  graph: Graph,
  weights: Weights,
  options: { batch: BatchInputs; others?: readonly Weights[] },
) => CompletionLogProbs;

/** Forward of the policy and of those it is compared with, the loss, and backward. */
function recordTraining(
  graph: Graph,
  { options, sets, mismatchedSums, shape, others, logProbs }: GraphParts & {
    shape: BatchShape;
    others: readonly OtherName[];
    logProbs: LogProbs;
  },
): void {
  const { sequencesPerRecord } = options;
  const loss = options.loss!;
  const batch = batchInputs(graph, shape);
  const weights = others.map((name) => sets[name]!.tensors);
  const compared = logProbs(graph, sets.policy.tensors, { batch, others: weights });
  const reference = others[0] === "reference" ? compared.others[0]!.sequence : undefined;
  const losses = preferenceLoss(graph, compared.sequence, {
    formula: loss,
    sequencesPerRecord,
    lengths: batch.lengths,
    labels: input(graph, "labels", { shape: [shape.sequences / sequencesPerRecord] }),
    shares: input(graph, "shares", { shape: [4] }),
    ...(reference ? { reference } : {}),
    ...(loss.needs.mismatched ? { mismatched: mismatchedSums } : {}),
  });
  backward(graph, new Map([[losses, losses]]));
  output(graph, "policy", compared.sequence);
  output(graph, "losses", losses);
  outputOthers(graph, others, compared);
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
  { options, sets, mismatchedSums, shape, logProbs }: GraphParts & { shape: BatchShape; logProbs: LogProbs },
): void {
  const batch = batchInputs(graph, shape);
  const reference = logProbs(graph, sets.reference!.tensors, { batch }).sequence;
  const policy = logProbs(graph, forwardOnly(sets.policy), { batch }).sequence;
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

/** The weights of a set without their gradient tensors, so that nothing is kept for a backward pass. */
function forwardOnly(set: ParameterSet): Weights {
  return new Map([...set.tensors].map(([name, { gradient: _, ...tensor }]) => [name, tensor]));
}
