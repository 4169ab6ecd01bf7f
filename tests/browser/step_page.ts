/** In a page: training steps of a tiny model on the browser's WebGPU. */
/// <reference types="@webgpu/types" />
import type { BatchShape, PackedGroup } from "../../data/pack.ts";
import { type Device, requestDevice } from "../../kernels/device.ts";
import { compileLoss } from "../../losses/compile.ts";
import { dpo } from "../../losses/dpo.ts";
import { modelParameters, parseModelConfig } from "../../models/families/mod.ts";
import { uploadWeights } from "../../models/weights.ts";
import { createEngine } from "../../training/engine.ts";

/** A fixture: its model, and a batch of pairs. */
export interface StepRequest {
  /** What `config.json` holds. */
  readonly config: Record<string, unknown>;
  /** Tensors of both models, by the names of the files. */
  readonly weights: Readonly<Record<"policy" | "reference", Readonly<Record<string, readonly number[]>>>>;
  /** The pairs, and what they are padded to. */
  readonly pairs: readonly PackedGroup[];
  readonly shape: BatchShape;
  /** Chosen completion tokens. */
  readonly tokens: number;
  /** Choose kernels as for a GPU, or as for a software adapter. */
  readonly software: boolean;
}

/** What comes of it. */
export interface StepAnswer {
  /** What the adapter is called, and the lanes in its subgroups. */
  readonly adapter: string;
  readonly subgroupSize: number;
  /** The batch's loss, the gradient's norm, and the loss after an AdamW step. */
  readonly loss: number;
  readonly gradientNorm: number;
  readonly lossAfter: number;
}

/** Enough for the smallest tiles: SwiftShader takes minutes to translate what larger ones unroll. */
const WORKGROUP_BYTES = 4400;

/** The device, with kernels that take little workgroup memory. */
function withLeastTiles(device: Device): Device {
  const limits = new Proxy(device.gpu.limits, {
    get: (limits, name) =>
      name === "maxComputeWorkgroupStorageSize" ? WORKGROUP_BYTES : limits[name as keyof GPUSupportedLimits],
  });
  const gpu = new Proxy(device.gpu, {
    get(gpu, name) {
      if (name === "limits") return limits;
      const value = gpu[name as keyof GPUDevice];
      return typeof value === "function" ? value.bind(gpu) : value;
    },
  });
  return { ...device, gpu };
}

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

/** Computes a step of DPO as the fixture's one AdamW step without clipping. */
export async function run(
  { config: json, weights, pairs, shape, tokens, software }: StepRequest,
): Promise<StepAnswer> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("no adapter");
  const device = withLeastTiles({ ...await requestDevice(adapter), software });
  const config = parseModelConfig(json, { name: "fixture" });
  const engine = await createEngine(device, {
    config,
    loss: compileLoss(dpo({ beta: 0.1 })),
    sequencesPerRecord: 2,
    reference: "frozen",
    optimizer: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: null },
    shapes: [shape],
    maxLength: 64,
  });
  for (const set of ["policy", "reference"] as const) {
    await uploadWeights(device, engine.sets[set]!, {
      parameters: modelParameters(config),
      read: (tensor, receive) => Promise.resolve(receive(0, new Float32Array(weights[set][tensor]!))),
    });
  }
  const batch = engine.pack(pairs, shape);
  const losses = async () => {
    engine.beginStep();
    const records = pairs.length;
    const step = { shape, records, stepRecords: records, stepTokens: tokens, labels: [] };
    return sum((await engine.accumulate(batch, step).read()).losses!);
  };
  const loss = await losses();
  const { norm } = await engine.update({ learningRate: 1e-3, step: 1 }).read();
  const lossAfter = await losses();
  const { description, subgroupSize } = device;
  return { adapter: description, subgroupSize, loss, gradientNorm: norm![0]!, lossAfter };
}
