/** The kernels of a training step that are no matrix products, each against what bounds it. */
import { chooseShapes } from "../data/buckets.ts";
import { measureGroups, packGroups } from "../data/pack.ts";
import { createStorage, type Device } from "../kernels/device.ts";
import { backward, createGraph, type Dispatch } from "../kernels/graph.ts";
import {
  createParameters,
  layoutParameters,
  maximumSegmentBytes,
  type ParameterSet,
} from "../kernels/parameters.ts";
import { compile } from "../kernels/program.ts";
import { externalTensor, sizeOf } from "../kernels/tensor.ts";
import { modelParameters } from "../models/families/mod.ts";
import {
  type Benchmark,
  type BenchmarkOptions,
  type Candidate,
  type Row,
  type Table,
  timeInterleaved,
} from "./benchmark.ts";
import { casePairs, casesNamed, largeCases, smallCases, type StepCase } from "./cases.ts";
import { openDevice } from "./environment.ts";
import { type KernelCase, kernelCases, type KernelSizes, type KernelTensors } from "./kernel_cases.ts";
import { preparePeak } from "./peak.ts";
import { compileSample } from "./repeat.ts";
import { boundOf, type Cost } from "./roofline.ts";

/** A timed sample takes about this long. */
const SAMPLE_MILLISECONDS = 100;

/** GFLOP/s or GB/s of each kernel, and how near to its bound that is. */
export const kernels: Benchmark = {
  description: "The other kernels of a step, against the least that they have to compute or move",
  flags: ["cases"],
  cases: [...smallCases, ...largeCases].map(({ name }) => name),
  async *run({ rounds, cases }) {
    const device = await openDevice();
    try {
      const standard = device.software ? "M4" : "SmolLM2-135M";
      for (const stepCase of casesNamed(cases ?? [standard])) {
        yield await timeCase(device, stepCase, { rounds });
      }
    } finally {
      device.destroy();
    }
  },
};

/** Some launches, and what they have to do. */
interface Part {
  readonly name: string;
  readonly launches: readonly Dispatch[];
  readonly cost: Cost;
}

async function timeCase(
  device: Device,
  stepCase: StepCase,
  { rounds }: Pick<BenchmarkOptions, "rounds">,
): Promise<Table> {
  const ceiling = await preparePeak(device);
  const groups = casePairs(stepCase);
  const shape = chooseShapes([measureGroups(groups)])[0]!;
  const { tensors, parameters, release } = await createTensors(device, stepCase);
  try {
    const sizes = { config: stepCase.config, shape, batch: packGroups(groups, { shape }), parameters };
    const parts: Part[] = [];
    for (const kernelCase of kernelCases) {
      parts.push(...await recordParts(device, { kernelCase, sizes, tensors }));
    }
    const candidates: Candidate[] = [...ceiling.candidates];
    for (const { name, launches } of parts) {
      const run = await compileSample(device, {
        record: ({ dispatches }) => dispatches.push(...launches),
        sample: SAMPLE_MILLISECONDS,
      });
      candidates.push({ name, run });
    }
    const timings = await timeInterleaved(candidates, { rounds });
    const peak = ceiling.peak(timings);
    const rows = parts.map(({ name, launches, cost }): Row => {
      const { median, min } = timings.get(name)!;
      const bound = boundOf(cost, peak);
      return {
        kernel: name,
        launches: launches.length,
        "median ms": median,
        "min ms": min,
        "GFLOP/s": cost.flops === 0 ? null : cost.flops / min / 1e6,
        "GB/s": cost.bytes / min / 1e6,
        "bound by": bound.by,
        "of bound": bound.milliseconds / min,
      };
    });
    return {
      title:
        `Kernels at the sizes of case ${stepCase.name}: ${shape.rows} rows, ${shape.slots} completion tokens`,
      rows,
      notes: [
        `Speeds are of the fastest round. The bound is the peak in the same rounds, ${
          peak.gigaflops.toFixed(0)
        } GFLOP/s and ${peak.gigabytes.toFixed(1)} GB/s: ` +
        "the least operations at the one or the least bytes at the other, whichever takes longer. Repeated launches find " +
        "operands in caches that are larger than they are; then more than all of the bound is reached.",
      ],
    };
  } finally {
    release();
    ceiling.release();
  }
}

/** Records a case, runs it once so that all of its tensors hold what they would, and cuts it in forward and backward. */
async function recordParts(
  device: Device,
  { kernelCase, sizes, tensors }: { kernelCase: KernelCase; sizes: KernelSizes; tensors: TensorMaker },
): Promise<Part[]> {
  const { name, only = () => true } = kernelCase;
  const graph = createGraph(device);
  const result = kernelCase.record(graph, { ...sizes, ...tensors });
  const forward = graph.dispatches.length;
  if (result !== null) backward(graph, new Map([[result, tensors.values(result.shape)]]));
  for (const { storage } of graph.dispatches.flatMap(({ bindings }) => bindings.map(([tensor]) => tensor))) {
    // Launches are repeated by themselves, without those that would have written what they read.
    if (storage.kind !== "temporary") continue;
    storage.buffer = tensors.allocate(storage.bytes, storage.label);
    storage.kind = "external";
  }
  const [program] = await compile(device, { graphs: [graph] });
  await program!.run().read();
  const select = (launches: readonly Dispatch[]) => launches.filter(({ kernel: { label } }) => only(label));
  const parts = [{
    name,
    launches: select(graph.dispatches.slice(0, forward)),
    cost: kernelCase.forward(sizes),
  }];
  if (kernelCase.backward !== undefined) {
    const launches = select(graph.dispatches.slice(forward));
    parts.push({ name: `${name}, backward`, launches, cost: kernelCase.backward(sizes) });
  }
  return parts;
}

interface TensorMaker extends KernelTensors {
  allocate(bytes: number, label: string): GPUBuffer;
}

/** Makes tensors whose buffers are released together. */
async function createTensors(device: Device, { config }: StepCase) {
  const buffers: GPUBuffer[] = [];
  const allocate = (size: number, label: string) => {
    const buffer = createStorage(device, { size, label });
    buffers.push(buffer);
    return buffer;
  };
  const layout = layoutParameters(modelParameters(config), { maximumBytes: maximumSegmentBytes(device) });
  const sets = new Map<string, ParameterSet>();
  for (const label of ["policy", "reference", "gradients", "first moments", "second moments"]) {
    const set = await createParameters(device, { layout, label });
    buffers.push(...set.buffers);
    sets.set(label, set);
  }
  const tensors: TensorMaker = {
    allocate,
    values(shape) {
      const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i * 7919 % 1000) / 1000 - 0.5);
      const buffer = allocate(values.byteLength, "values");
      device.gpu.queue.writeBuffer(buffer, 0, values);
      const gradient = externalTensor(allocate(values.byteLength, "gradient"), { shape });
      return externalTensor(buffer, { shape, gradient });
    },
    indices(values, shape = [values.length]) {
      const buffer = allocate(values.byteLength, "indices");
      device.gpu.queue.writeBuffer(buffer, 0, new Int32Array(values));
      return externalTensor(buffer, { shape, dtype: "u32" });
    },
    set: (label) => sets.get(label)!,
  };
  const parameters = sets.get("policy")!.bytes / 4;
  return { tensors, parameters, release: () => buffers.forEach((buffer) => buffer.destroy()) };
}
