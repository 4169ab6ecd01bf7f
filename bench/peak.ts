/** What the adapter reaches at best: multiply-adds in registers, and a copy of memory. */
import { createStorage, type Device, maximumBindingBytes } from "../kernels/device.ts";
import { dispatch, type Graph, type Kernel } from "../kernels/graph.ts";
import { externalTensor, type Tensor } from "../kernels/tensor.ts";
import {
  type Benchmark,
  type Candidate,
  type Row,
  type Table,
  timeInterleaved,
  type Timing,
} from "./benchmark.ts";
import { openDevice } from "./environment.ts";
import { compileSample } from "./repeat.ts";
import type { Peak } from "./roofline.ts";

/** Threads of a workgroup. */
const THREADS = 64;
/** Multiply-adds of an accumulator in a run of the loop, and runs of it. */
const UNROLLED = 16;
const LOOPS = 256;
/** Workgroups: enough to fill a large GPU, few enough for a CPU. */
const WORKGROUPS = { software: 64, gpu: 8192 };
/** Bytes copied: more than caches hold. */
const COPIED = { software: 2 ** 26, gpu: 2 ** 28 };
const SAMPLE_MILLISECONDS = 100;

/** How the arithmetic is written; the best counts, since adapters differ in what they keep in registers and overlap. */
interface Form {
  readonly type: "f32" | "vec4f";
  readonly accumulators: number;
}

const forms: readonly Form[] = [
  { type: "f32", accumulators: 4 },
  { type: "f32", accumulators: 8 },
  { type: "f32", accumulators: 16 },
  { type: "vec4f", accumulators: 1 },
  { type: "vec4f", accumulators: 2 },
  { type: "vec4f", accumulators: 4 },
];

/** Peak GFLOP/s and GB/s. */
export const peak: Benchmark = {
  description: "What the adapter reaches at best: float32 multiply-adds in registers, and a copy",
  flags: [],
  async *run({ rounds }) {
    const device = await openDevice();
    try {
      yield (await measure(device, rounds)).table;
    } finally {
      device.destroy();
    }
  },
};

const measured = new Map<string, Promise<Peak>>();

/** The adapter's peak, measured once in a process. */
export function peakOf(device: Device, { rounds }: { rounds: number }): Promise<Peak> {
  const found = measured.get(device.description) ?? measure(device, rounds).then(({ peak }) => peak);
  measured.set(device.description, found);
  return found;
}

/** What the peak is measured with. */
export interface PeakKernels {
  /** To be timed, alone or in the same rounds as what is compared with them. */
  readonly candidates: readonly Candidate[];
  /** The peak that their times show. */
  peak(timings: ReadonlyMap<string, Timing>): Peak;
  /** Their speeds. */
  rows(timings: ReadonlyMap<string, Timing>): Row[];
  /** Frees their memory. */
  release(): void;
}

/** Compiles the kernels that reach the peak. */
export async function preparePeak(device: Device): Promise<PeakKernels> {
  const kind = device.software ? "software" : "gpu";
  const bytes = Math.min(COPIED[kind], Math.floor(maximumBindingBytes(device) / 2 ** 22) * 2 ** 22);
  const tensors = ["from", "to"].map((label) =>
    externalTensor(createStorage(device, { size: bytes, label }), { shape: [bytes / 4] })
  ) as [Tensor, Tensor];
  const sample = (record: (graph: Graph) => void) =>
    compileSample(device, { record, sample: SAMPLE_MILLISECONDS });
  const candidates: Candidate[] = [];
  for (const form of forms) {
    const run = await sample((graph) =>
      recordArithmetic(graph, { form, tensors, workgroups: WORKGROUPS[kind] })
    );
    candidates.push({ name: nameOf(form), run });
  }
  candidates.push({ name: "copy", run: await sample((graph) => recordCopy(graph, { tensors, bytes })) });
  const speeds = (timings: ReadonlyMap<string, Timing>) =>
    forms.map((form) => flopsOf(form, WORKGROUPS[kind]) / timings.get(nameOf(form))!.min / 1e6);
  const speedOfCopy = (timings: ReadonlyMap<string, Timing>) => 2 * bytes / timings.get("copy")!.min / 1e6;
  return {
    candidates,
    peak: (timings) => ({ gigaflops: Math.max(...speeds(timings)), gigabytes: speedOfCopy(timings) }),
    rows: (timings) => [
      ...speeds(timings).map((speed, i) => ({ kernel: nameOf(forms[i]!), "GFLOP/s": speed, "GB/s": null })),
      { kernel: `copy of ${bytes / 2 ** 20} MiB`, "GFLOP/s": null, "GB/s": speedOfCopy(timings) },
    ],
    release: () => tensors.forEach(({ storage }) => storage.buffer!.destroy()),
  };
}

async function measure(device: Device, rounds: number): Promise<{ peak: Peak; table: Table }> {
  const kernels = await preparePeak(device);
  try {
    const timings = await timeInterleaved(kernels.candidates, { rounds });
    const notes = [
      "The fastest of all rounds. A copy counts what it reads and what it writes. Shares elsewhere are of the fastest " +
      "multiply-adds and of this copy; data that stays in a cache moves faster than it.",
    ];
    const table = { title: "The adapter's peak, float32", rows: kernels.rows(timings), notes };
    return { peak: kernels.peak(timings), table };
  } finally {
    kernels.release();
  }
}

const nameOf = ({ type, accumulators }: Form) => `${accumulators} accumulators of ${type}`;

function flopsOf({ type, accumulators }: Form, workgroups: number): number {
  return 2 * (type === "vec4f" ? 4 : 1) * accumulators * UNROLLED * LOOPS * THREADS * workgroups;
}

/** WGSL whose loop consists of multiply-adds alone; their values stay near 1. */
function arithmeticWgsl({ type, accumulators }: Form): string {
  const all = Array.from({ length: accumulators }, (_, i) => `a${i}`);
  const steps = Array(UNROLLED).fill(all.map((a) => `    ${a} = fma(${a}, x, y);`).join("\n")).join("\n");
  return `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3u) {
  // Read, so that the compiler knows neither; the buffer holds zeros.
  let x = ${type}(source[0].x + 0.99);
  let y = ${type}(source[1].y + 0.01);
${all.map((a, i) => `  var ${a} = ${type}(f32(id.x % 7u + ${i}u) * 0.1);`).join("\n")}
  for (var i = 0u; i < ${LOOPS}u; i++) {
${steps}
  }
  let sum = ${all.join(" + ")};
  // Never true, which the compiler doesn't know: storing costs nothing.
  if (${type === "f32" ? "sum" : "sum.x + sum.y + sum.z + sum.w"} < -1.0) { result[id.x] = 1.0; }
}`;
}

function recordArithmetic(
  graph: Graph,
  { form, tensors: [from, to], workgroups }: { form: Form; tensors: [Tensor, Tensor]; workgroups: number },
): void {
  dispatch(graph, {
    kernel: { label: nameOf(form), code: arithmeticWgsl(form) },
    bindings: [[from, "read"], [to, "update"]],
    workgroups: [workgroups],
  });
}

const copy: Kernel = {
  label: "copy",
  code: `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 256u + id.x;
  result[i] = source[i];
}`,
};

function recordCopy(
  graph: Graph,
  { tensors: [from, to], bytes }: { tensors: [Tensor, Tensor]; bytes: number },
): void {
  const groups = Math.floor(bytes / 16 / 256);
  const columns = Math.min(groups, 1024);
  dispatch(graph, {
    kernel: copy,
    bindings: [[from, "read"], [to, "write"]],
    workgroups: [columns, Math.floor(groups / columns)],
  });
}
