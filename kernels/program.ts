/** Programs: a compiled graph, replayed with new inputs without creating anything or waiting for the GPU. */
import { createStorage, type Device, maximumBindingBytes, withMemoryCheck } from "./device.ts";
import type { Dispatch, Graph, Kernel, Uniform } from "./graph.ts";
import { type MemoryPlan, planMemory, shareSlots } from "./memory_plan.ts";
import { encodeCommands } from "./submission.ts";
import { bytesOf, type DType, type Storage, type Tensor } from "./tensor.ts";

/** Bytes that a group of programs takes beside the external tensors. */
export interface ProgramMemory {
  /** Buffers for temporaries, shared by all programs compiled together. */
  readonly temporaries: number;
  /** Inputs, outputs on their way to the host, and uniforms. */
  readonly transfers: number;
  /** The sum. */
  readonly total: number;
}

/** Values that a run left for the host, by output name. */
export type ProgramOutputs = Record<string, Float32Array>;

/** A run under way; its outputs can be read once, later. */
export interface PendingRun {
  /**
   * Waits until the GPU has finished this run and returns its outputs.
   *
   * @throws If it isn't submitted yet, see `submitTogether`; if the device is lost.
   */
  read(): Promise<ProgramOutputs>;
}

/** A compiled graph. */
export interface Program {
  /** Bytes needed, known before anything runs. Programs compiled together report the same figure. */
  readonly memory: ProgramMemory;
  /** Number of kernel launches in one run. */
  readonly dispatches: number;
  /** Launches, for profiles: label and workgroups. */
  readonly launches: readonly Launch[];
  /** The arrays that the next run sends to the device, by input name: fill them before {@linkcode Program.run}. */
  readonly inputs: Readonly<Record<string, Float32Array | Int32Array | Uint32Array>>;
  /** Sends the inputs and submits one run, alone or with others (`submitTogether`). Returns at once. */
  run(): PendingRun;
}

/** One launch of a compiled program. */
export interface Launch {
  /** The kernel's label. */
  readonly label: string;
  /** The compiled pipeline. */
  readonly pipeline: GPUComputePipeline;
  /** Its bindings. */
  readonly bindGroup: GPUBindGroup;
  /** Workgroups along x, y and z. */
  readonly workgroups: readonly [number, number, number];
  /** Floating-point operations, where the operation counts them. */
  readonly flops: number | null;
  /** Bytes read and written if all that is bound is touched once, or what the operation says. */
  readonly bytes: number;
}

/** WebGPU's default alignment of buffer bindings in bytes, valid on every device. */
const BINDING_ALIGNMENT = 256;

/** Runs of a program whose outputs may be unread at a time before another buffer is made for them. */
const READBACKS = 4;

const align = (bytes: number) => Math.ceil(bytes / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;

/** Bytes that {@linkcode compile} would take for these graphs; nothing is allocated. */
export function planPrograms(graphs: readonly Graph[]): ProgramMemory {
  return measure(graphs, graphs.map(planMemory));
}

function measure(graphs: readonly Graph[], plans: readonly MemoryPlan[]): ProgramMemory {
  const temporaries = shareSlots(plans).reduce((sum, bytes) => sum + bytes, 0);
  let transfers = 0;
  for (const graph of graphs) {
    for (const tensor of graph.inputs.values()) transfers += align(bytesOf(tensor));
    for (const tensor of graph.outputs.values()) transfers += READBACKS * align(bytesOf(tensor));
    transfers += new Set(graph.dispatches.map(({ uniforms }) => JSON.stringify(uniforms))).size *
      BINDING_ALIGNMENT;
  }
  return { temporaries, transfers, total: temporaries + transfers };
}

/**
 * Compiles graphs that run one after another: their temporaries share one set of buffers.
 *
 * @param options.memoryLimit Refuse, before allocating, to take more than this many bytes in all.
 * @param options.reserved Bytes already taken by external tensors, counted against the limit.
 * @param options.advice What to do if the device lacks the memory; by default to use smaller batches.
 * @returns One program for each graph, in order.
 * @throws If the memory needed exceeds the limit or the device, in bytes; if a kernel doesn't compile.
 */
export async function compile(
  device: Device,
  options: { graphs: readonly Graph[]; memoryLimit?: number; reserved?: number; advice?: string },
): Promise<Program[]> {
  const { graphs, memoryLimit = Infinity, reserved = 0, advice } = options;
  const plans = graphs.map(planMemory);
  const memory = measure(graphs, plans);
  if (memory.total + reserved > memoryLimit) {
    throw new RangeError(
      `This run needs ${
        memory.total + reserved
      } bytes on the device (${reserved} for weights and optimizer, ` +
        `${memory.total} for activations and transfers), more than the limit of ${memoryLimit} bytes. ` +
        "Use a smaller batch_size or max_length.",
    );
  }
  const slotBytes = shareSlots(plans);
  for (const plan of plans) checkSizes(device, plan);
  for (const graph of graphs) checkWorkgroups(device, graph);
  const slots = await withMemoryCheck(device, {
    bytes: memory.temporaries,
    what: "the activations of this run",
    ...(advice === undefined ? {} : { advice }),
    allocate: () => slotBytes.map((size, i) => createStorage(device, { size, label: `temporary ${i}` })),
  });
  await compilePipelines(device, graphs);
  device.gpu.pushErrorScope("validation");
  const programs = graphs.map((graph, i) => build(device, { graph, plan: plans[i]!, slots, memory }));
  const error = await device.gpu.popErrorScope();
  if (error !== null) throw new Error(`compile: ${error.message}`);
  device.check();
  return programs;
}

function checkSizes(device: Device, plan: MemoryPlan): void {
  const limit = maximumBindingBytes(device);
  for (const storage of plan.placement.keys()) {
    if (storage.bytes <= limit) continue;
    throw new RangeError(
      `The tensor ${storage.label} needs ${storage.bytes} bytes; one binding of "${device.description}" holds at most ` +
        `${limit}. Use a smaller batch_size or max_length.`,
    );
  }
}

/** WebGPU would report it only when the program runs, and then skip the whole submission. */
function checkWorkgroups({ gpu, description }: Device, { dispatches }: Graph): void {
  const most = gpu.limits.maxComputeWorkgroupsPerDimension;
  for (const { kernel, workgroups } of dispatches) {
    if (workgroups.every((count = 1) => count <= most)) continue;
    throw new RangeError(
      `The kernel "${kernel.label}" needs ${
        workgroups.join(" × ")
      } workgroups; "${description}" starts at most ${most} ` +
        "in a dimension. Use a smaller batch_size or max_length.",
    );
  }
}

function build(
  device: Device,
  { graph, plan, slots, memory }: {
    graph: Graph;
    plan: MemoryPlan;
    slots: GPUBuffer[];
    memory: ProgramMemory;
  },
): Program {
  const inputs = placeInputs(device, graph);
  const uniforms = placeUniforms(device, graph);
  const locate = ({ storage, offset }: Tensor): { buffer: GPUBuffer; offset: number } => {
    const slot = plan.placement.get(storage);
    const buffer = slot !== undefined
      ? slots[slot]!
      : storage.kind === "input"
      ? inputs.buffer
      : storage.buffer;
    if (buffer === undefined) throw new Error(`${storage.label} has no memory: it was never written`);
    return { buffer, offset: (inputs.offsets.get(storage) ?? storage.offset) + offset };
  };
  const launches = graph.dispatches.map((launch) => buildLaunch(device, { launch, locate, uniforms }));
  const readback = createReadback(device, graph, locate);
  const program: Program = {
    memory,
    dispatches: launches.length,
    launches,
    inputs: inputs.views,
    run() {
      const { encode, submitted, pending } = readback.start();
      const { recorder } = device;
      encodeCommands(device, (encoder) => {
        if (inputs.bytes.byteLength > 0) device.gpu.queue.writeBuffer(inputs.buffer, 0, inputs.bytes);
        if (recorder === null) encodeLaunches(encoder, launches);
        else recorder.encode(program, encoder);
        encode(encoder);
        return submitted;
      }, { user: inputs.buffer });
      return recorder === null ? pending : { read: () => recorder.wait(() => pending.read()) };
    },
  };
  return program;
}

const passDescriptor = { label: "program" };

function encodeLaunches(encoder: GPUCommandEncoder, launches: readonly Launch[]): void {
  const pass = encoder.beginComputePass(passDescriptor);
  let current: GPUComputePipeline | undefined;
  for (const { pipeline, bindGroup, workgroups: [x, y, z] } of launches) {
    if (pipeline !== current) pass.setPipeline(current = pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(x, y, z);
  }
  pass.end();
}

function buildLaunch(
  device: Device,
  { launch, locate, uniforms }: {
    launch: Dispatch;
    locate: (tensor: Tensor) => { buffer: GPUBuffer; offset: number };
    uniforms: { buffer: GPUBuffer; offsetOf: (uniforms: readonly Uniform[]) => number };
  },
): Launch {
  const { kernel, bindings, workgroups: [x, y = 1, z = 1] } = launch;
  const pipeline = device.pipelines.get(pipelineKey(kernel))!;
  const entries: GPUBindGroupEntry[] = bindings.map(([tensor], binding) => ({
    binding,
    resource: { ...locate(tensor), size: Math.max(4, bytesOf(tensor)) },
  }));
  if (launch.uniforms !== undefined) {
    const size = Math.ceil(launch.uniforms.length * 4 / 16) * 16;
    const resource = { buffer: uniforms.buffer, offset: uniforms.offsetOf(launch.uniforms), size };
    entries.push({ binding: entries.length, resource });
  }
  device.counters.bindGroups++;
  const layout = pipeline.getBindGroupLayout(0);
  return {
    label: kernel.label,
    pipeline,
    bindGroup: device.gpu.createBindGroup({ label: kernel.label, layout, entries }),
    workgroups: [x, y, z],
    flops: launch.work?.flops ?? null,
    bytes: launch.work?.bytes ?? boundBytes(launch),
  };
}

function boundBytes({ bindings }: Dispatch): number {
  return bindings.reduce(
    (sum, [tensor, access]) => sum + bytesOf(tensor) * (access === "update" ? 2 : 1),
    0,
  );
}

const pipelineKey = ({ code, constants = {} }: Kernel) => `${code}\n${JSON.stringify(constants)}`;

/** Compiles the kernels that the device doesn't have yet; an error names the kernel and the line of its WGSL. */
async function compilePipelines(device: Device, graphs: readonly Graph[]): Promise<void> {
  for (const kernel of graphs.flatMap(({ dispatches }) => dispatches.map((launch) => launch.kernel))) {
    const key = pipelineKey(kernel);
    if (device.pipelines.has(key)) continue;
    const { label, code, constants = {} } = kernel;
    device.gpu.pushErrorScope("validation");
    const module = device.gpu.createShaderModule({ label, code });
    const invalid = await device.gpu.popErrorScope();
    if (invalid !== null) throw new Error(`The kernel "${label}" doesn't compile: ${invalid.message}`);
    device.gpu.pushErrorScope("validation");
    const pipeline = device.gpu.createComputePipeline({
      label,
      layout: "auto",
      compute: { module, constants },
    });
    const error = await device.gpu.popErrorScope();
    if (error !== null) throw new Error(`The kernel "${label}" makes no pipeline: ${error.message}`);
    device.pipelines.set(key, pipeline);
    device.counters.pipelines++;
  }
}

/** One buffer for all inputs, and host arrays of the same layout that are sent with a single write. */
function placeInputs(device: Device, graph: Graph) {
  const offsets = new Map<Storage, number>();
  let size = 0;
  for (const tensor of graph.inputs.values()) {
    offsets.set(tensor.storage, size);
    size += align(bytesOf(tensor));
  }
  const buffer = createStorage(device, { size, label: "inputs" });
  const bytes = new ArrayBuffer(size);
  const views: Record<string, Float32Array | Int32Array | Uint32Array> = {};
  for (const [name, tensor] of graph.inputs) {
    const View = arrayOf(tensor.dtype);
    views[name] = new View(bytes, offsets.get(tensor.storage)!, bytesOf(tensor) / 4);
  }
  return { buffer, bytes, offsets, views };
}

function arrayOf(dtype: DType) {
  return dtype === "f32" ? Float32Array : dtype === "i32" ? Int32Array : Uint32Array;
}

/** One buffer for the uniform blocks of all launches; equal blocks are stored once. */
function placeUniforms(device: Device, graph: Graph) {
  const offsets = new Map<string, number>();
  const blocks: (readonly Uniform[])[] = [];
  for (const { uniforms } of graph.dispatches) {
    if (uniforms === undefined || offsets.has(JSON.stringify(uniforms))) continue;
    offsets.set(JSON.stringify(uniforms), blocks.length * BINDING_ALIGNMENT);
    blocks.push(uniforms);
  }
  const data = new DataView(new ArrayBuffer(Math.max(1, blocks.length) * BINDING_ALIGNMENT));
  blocks.forEach((block, i) =>
    block.forEach((value, j) => {
      const at = i * BINDING_ALIGNMENT + j * 4;
      if (typeof value === "number") data.setUint32(at, value, true);
      else data.setFloat32(at, value.f32, true);
    })
  );
  device.counters.buffers++;
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = device.gpu.createBuffer({ label: "uniforms", size: data.byteLength, usage });
  device.gpu.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer);
  return { buffer, offsetOf: (uniforms: readonly Uniform[]) => offsets.get(JSON.stringify(uniforms))! };
}

/** Copies the outputs to mappable buffers, which return to a pool once they were read. */
function createReadback(
  device: Device,
  graph: Graph,
  locate: (tensor: Tensor) => { buffer: GPUBuffer; offset: number },
) {
  let size = 0;
  const parts = [...graph.outputs].map(([name, tensor]) => {
    const part = { name, dtype: tensor.dtype, ...locate(tensor), at: size, bytes: bytesOf(tensor) };
    size += align(part.bytes);
    return part;
  });
  const stage = () => {
    device.counters.buffers++;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return device.gpu.createBuffer({ label: "readback", size: Math.max(16, size), usage });
  };
  const free = parts.length === 0 ? [] : Array.from({ length: READBACKS }, stage);
  return {
    /** What copies the outputs of one run, once it is encoded, and hands them over, once it is submitted. */
    start() {
      if (parts.length === 0) {
        return { encode() {}, submitted() {}, pending: { read: () => finished(device) } };
      }
      const staging = free.pop() ?? stage();
      let mapped: Promise<unknown> | undefined;
      return {
        encode(encoder: GPUCommandEncoder) {
          for (const { buffer, offset, at, bytes } of parts) {
            encoder.copyBufferToBuffer(buffer, offset, staging, at, bytes);
          }
        },
        submitted() {
          device.counters.readbacks++;
          mapped = staging.mapAsync(GPUMapMode.READ);
          // Whoever reads gets the error; nobody else should be told of an unhandled rejection.
          mapped.catch(() => {});
        },
        pending: {
          async read() {
            if (mapped === undefined) {
              throw new Error("read: this run isn't submitted yet; read it once submitTogether has returned");
            }
            await mapped.catch((error) => {
              device.check();
              throw error;
            });
            device.check();
            const range = staging.getMappedRange();
            const outputs: ProgramOutputs = {};
            for (const { name, at, bytes } of parts) {
              outputs[name] = new Float32Array(range.slice(at, at + bytes));
            }
            staging.unmap();
            free.push(staging);
            return outputs;
          },
        },
      };
    },
  };
}

async function finished(device: Device): Promise<ProgramOutputs> {
  device.counters.readbacks++;
  await device.gpu.queue.onSubmittedWorkDone();
  device.check();
  return {};
}
