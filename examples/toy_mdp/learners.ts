/** Many policies that learn side by side on the device, with their references: one program moves them all. */
import {
  adamw,
  backward,
  clearParameters,
  compile,
  createGraph,
  createParameters,
  createStorage,
  type Device,
  externalTensor,
  gradientNorm,
  type Graph,
  input,
  layoutParameters,
  maximumSegmentBytes,
  output,
  sequenceSums,
  type Tensor,
  tokenLogProbs,
} from "@tr/align/kernels";
import { mixNetworks } from "./mix_networks.ts";
import {
  actionHead,
  featuresOf,
  initialWeights,
  networkParameters,
  type NetworkSizes,
  recordOutputs,
} from "./network.ts";
import { ACTIONS, type Edge, edgesAlong, edgesOf, type Trajectory } from "./tree.ts";

/** A policy before training. */
export interface Learner {
  /** Of its random weights. */
  readonly seed: number;
  /** What it is trained on; as many for each learner. */
  readonly sequences: readonly Trajectory[];
}

/** Summed log-probs of each learner's sequences, learner after learner. */
export interface Comparison {
  /** Under the policy. */
  readonly policy: Float32Array;
  /** Under the reference as it is now. */
  readonly reference: Float32Array;
  /** Σ KL(policy ‖ reference) over the states along the sequence. */
  readonly divergence: Float32Array;
}

/** What can be done with the policies. */
export interface Learners {
  /** Scores the sequences under policies and references. */
  compare(): Promise<Comparison>;
  /** One AdamW step, given the derivative of each learner's loss by the log-prob of each of its sequences. */
  step(derivatives: ArrayLike<number>, options: { learningRate: number }): void;
  /** Starts AdamW anew. */
  resetOptimizer(): void;
  /** Moves the references: θ_ref ← α θ + (1 − α) θ_ref, with a share for each learner. */
  moveReferences(alphas: ArrayLike<number>): void;
  /** Log-probs of all edges of the tree under all policies, learner after learner, in the order of `edgesOf`. */
  enumerate(): Promise<Float32Array>;
  /** Frees their weights. */
  destroy(): void;
}

/** AdamW as it usually is; without decay, so that each learner's step depends on nothing but its gradient. */
const ADAM = { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 } as const;

/**
 * Puts random policies on the device and compiles the programs that train them.
 *
 * References are zero until they are moved.
 */
export async function createLearners(
  device: Device,
  { learners, ...sizes }: NetworkSizes & { learners: readonly Learner[] },
): Promise<Learners> {
  const specs = networkParameters(learners.length, sizes);
  const layout = layoutParameters(specs, { maximumBytes: maximumSegmentBytes(device) });
  const gradients = await createParameters(device, { layout, label: "gradients" });
  const policy = await createParameters(device, { layout, label: "policies", gradients });
  const [reference, first, second] = await Promise.all(
    ["references", "first moments", "second moments"].map((label) =>
      createParameters(device, { layout, label })
    ),
  ) as [typeof policy, typeof policy, typeof policy];
  upload();

  const sequences = learners.flatMap(({ sequences }) => sequences);
  const rows = placeRows(device, { edges: sequences.flatMap(edgesAlong), depth: sizes.depth });
  const all = edgesOf(sizes.depth);
  const everyRow = placeRows(device, { edges: learners.flatMap(() => all), depth: sizes.depth });
  const sums = placeSums(device, sequences);
  const selection = actionHead();
  const head = place(device, { shape: [ACTIONS, selection.length / ACTIONS], values: selection });

  const graphs = {
    compare: record((graph) => {
      const { logProbs, others: [other] } = tokenLogProbs(
        graph,
        recordOutputs(graph, policy, rows.features),
        {
          head,
          targets: rows.targets,
          others: [{ hidden: recordOutputs(graph, reference, rows.features), head }],
        },
      );
      output(graph, "policy", sequenceSums(graph, logProbs, sums));
      output(graph, "reference", sequenceSums(graph, other!.logProbs, sums));
      output(graph, "divergence", sequenceSums(graph, other!.divergences, sums));
    }),
    step: record((graph) => {
      const { logProbs } = tokenLogProbs(graph, recordOutputs(graph, policy, rows.features), {
        head,
        targets: rows.targets,
      });
      const derivatives = input(graph, "derivatives", { shape: [sequences.length] });
      backward(graph, new Map([[sequenceSums(graph, logProbs, sums), derivatives]]));
      // A common limit on the norm would let learners influence each other.
      const norm = gradientNorm(graph, gradients, { limit: null });
      const step = input(graph, "step", { shape: [4] });
      adamw(graph, { parameters: policy, gradients, first, second }, { ...ADAM, step, norm });
    }),
    move: record((graph) => {
      const alpha = input(graph, "alpha", { shape: [learners.length] });
      mixNetworks(graph, { reference, policy }, { alpha });
    }),
    enumerate: record((graph) => {
      const { logProbs } = tokenLogProbs(graph, recordOutputs(graph, policy, everyRow.features), {
        head,
        targets: everyRow.targets,
      });
      output(graph, "logProbs", logProbs);
    }),
  };
  const [compare, step, move, enumerate] = await compile(device, { graphs: Object.values(graphs) });

  let steps = 0;
  return {
    async compare() {
      const { policy, reference, divergence } = await compare!.run().read();
      return { policy: policy!, reference: reference!, divergence: divergence! };
    },
    step(derivatives, { learningRate }) {
      steps++;
      clearParameters(device, gradients);
      step!.inputs.derivatives!.set(derivatives);
      step!.inputs.step!.set([learningRate, 1 - ADAM.betas[0] ** steps, 1 - ADAM.betas[1] ** steps, 0]);
      step!.run();
    },
    resetOptimizer() {
      steps = 0;
      clearParameters(device, first);
      clearParameters(device, second);
    },
    moveReferences(alphas) {
      move!.inputs.alpha!.set(alphas);
      move!.run();
    },
    async enumerate() {
      return (await enumerate!.run().read()).logProbs!;
    },
    destroy() {
      for (const set of [gradients, policy, reference, first, second]) {
        for (const buffer of set.buffers) buffer.destroy();
      }
    },
  };

  function record(operations: (graph: Graph) => void): Graph {
    const graph = createGraph(device);
    operations(graph);
    return graph;
  }

  function upload(): void {
    specs.forEach(({ name, shape: [, inputs, outputs] }, layer) => {
      const { storage: { buffer, offset } } = policy.tensors.get(name)!;
      learners.forEach(({ seed }, index) => {
        const values = initialWeights([inputs!, outputs!], { seed, layer });
        device.gpu.queue.writeBuffer(
          buffer!,
          offset + index * values.byteLength,
          values as Float32Array<ArrayBuffer>,
        );
      });
    });
  }
}

/** A tensor with its numbers. */
function place(
  device: Device,
  { shape, values }: { shape: readonly number[]; values: Float32Array | Int32Array },
): Tensor {
  const buffer = createStorage(device, { size: values.byteLength, label: "rows" });
  device.gpu.queue.writeBuffer(buffer, 0, values as Float32Array<ArrayBuffer>);
  return externalTensor(buffer, { shape, dtype: values instanceof Float32Array ? "f32" : "i32" });
}

/** The policy's rows: states, and the actions taken there. */
function placeRows(device: Device, { edges, depth }: { edges: readonly Edge[]; depth: number }) {
  const features = edges.map(({ prefix }) => featuresOf(prefix, depth));
  const width = features[0]!.length;
  const values = new Float32Array(edges.length * width);
  features.forEach((row, index) => values.set(row, index * width));
  const targets = Int32Array.from(edges, ({ action }) => action);
  return {
    features: place(device, { shape: [edges.length, width], values }),
    targets: place(device, { shape: [edges.length], values: targets }),
  };
}

/** Which rows belong to which sequence. */
function placeSums(device: Device, sequences: readonly Trajectory[]) {
  let row = 0;
  const starts = Int32Array.from([0, ...sequences.map(({ length }) => row += length)]);
  const sequenceOf = Int32Array.from(sequences.flatMap(({ length }, index) => Array(length).fill(index)));
  return {
    starts: place(device, { shape: [starts.length], values: starts }),
    sequenceOf: place(device, { shape: [sequenceOf.length], values: sequenceOf }),
  };
}
