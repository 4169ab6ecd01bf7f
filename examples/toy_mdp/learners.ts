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
  actionMask,
  featuresOf,
  initialWeights,
  networkParameters,
  type NetworkSizes,
  OUTPUTS,
  recordLogits,
} from "./network.ts";
import { type Edge, edgesAlong, edgesOf, type Trajectory } from "./tree.ts";

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

  const batches = learners.map(({ sequences }) => sequences);
  const sequenceCount = batches.flat().length;
  const rows = placeRows(device, {
    edges: batches.flatMap((own) => padded(own.flatMap(edgesAlong))),
    depth: sizes.depth,
  });
  const all = edgesOf(sizes.depth);
  const everyRow = placeRows(device, { edges: learners.flatMap(() => all), depth: sizes.depth });
  const sums = placeSums(device, batches);
  const head = place(device, { shape: [OUTPUTS, OUTPUTS], values: identity(OUTPUTS) }); // they are logits already

  const graphs = {
    compare: record((graph) => {
      const { logProbs, others: [other] } = tokenLogProbs(
        graph,
        recordLogits(graph, policy, rows),
        {
          head,
          targets: rows.targets,
          others: [{ hidden: recordLogits(graph, reference, rows), head }],
        },
      );
      output(graph, "policy", sequenceSums(graph, logProbs, sums));
      output(graph, "reference", sequenceSums(graph, other!.logProbs, sums));
      output(graph, "divergence", sequenceSums(graph, other!.divergences, sums));
    }),
    step: record((graph) => {
      const { logProbs } = tokenLogProbs(graph, recordLogits(graph, policy, rows), {
        head,
        targets: rows.targets,
      });
      const derivatives = input(graph, "derivatives", { shape: [sequenceCount] });
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
      const { logProbs } = tokenLogProbs(graph, recordLogits(graph, policy, everyRow), {
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

function identity(size: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, i) => i % (size + 1) === 0 ? 1 : 0);
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
    mask: place(device, { shape: [edges.length, OUTPUTS], values: actionMask(edges.length) }),
    targets: place(device, { shape: [edges.length], values: targets }),
  };
}

/** The fast kernels take a learner's rows four at a time. */
const ROWS_TOGETHER = 4;

/** A learner's rows, filled up. */
function padded(edges: readonly Edge[]): Edge[] {
  const missing = (ROWS_TOGETHER - edges.length % ROWS_TOGETHER) % ROWS_TOGETHER;
  return [...edges, ...Array<Edge>(missing).fill({ prefix: [], action: 0 })];
}

/** Which rows belong to which sequence; rows that fill a learner up count 0 in its last one. */
function placeSums(device: Device, batches: readonly (readonly Trajectory[])[]) {
  const starts: number[] = [0];
  const sequenceOf: number[] = [];
  const weights: number[] = [];
  for (const sequences of batches) {
    const edges = sequences.flatMap(edgesAlong);
    const rows = padded(edges).length;
    sequences.forEach(({ length }, index) => {
      const filling = index === sequences.length - 1 ? rows - edges.length : 0;
      for (let row = 0; row < length + filling; row++) {
        sequenceOf.push(starts.length - 1);
        weights.push(row < length ? 1 : 0);
      }
      starts.push(sequenceOf.length);
    });
  }
  return {
    starts: place(device, { shape: [starts.length], values: Int32Array.from(starts) }),
    sequenceOf: place(device, { shape: [sequenceOf.length], values: Int32Array.from(sequenceOf) }),
    weights: place(device, { shape: [weights.length], values: Float32Array.from(weights) }),
  };
}
