/// <reference types="npm:@webgpu/types@0.1.74" />
import { type LossPlan, recordFields } from "../../losses/plan.ts";
import { runTape, type Tape } from "../../losses/tape.ts";

/** Records as columns: the fields of `recordFields`, then record share and token share. */
export type RecordColumns = readonly Float32Array[];

/** One array a number, in the order of {@linkcode outputNames}. */
export type Outputs = readonly Float32Array[] | readonly Float64Array[];

const letters = ["x", "y", "z", "w"] as const;

/** What both forms of a loss are asked for, as WGSL over `value`, `record` and `statistics`. */
export const outputNames: readonly string[] = [
  "value.loss",
  "value.gradient.x",
  "value.gradient.y",
  "value.rewards.x",
  "value.rewards.y",
  "value.curvature",
  ...letters.map((letter) => `value.statistic_gradient.${letter}`),
  ...letters.map((letter) => `value.matched_gradient.${letter}`),
  ...letters.map((letter) => `loss_statistic_terms(record).${letter}`),
  ...letters.map((letter) => `loss_statistic_terms_chosen_gradient(record).${letter}`),
  ...letters.map((letter) => `loss_statistic_terms_rejected_gradient(record).${letter}`),
  ...letters.map((letter) => `loss_statistics(means).${letter}`),
  ...letters.map((letter) => `loss_statistics_gradient(means).${letter}`),
];

const INPUTS = recordFields.length + 2;

/** A device, or null where there is no adapter. */
export async function requestDevice(): Promise<GPUDevice | null> {
  const adapter = await navigator.gpu?.requestAdapter();
  return await adapter?.requestDevice() ?? null;
}

/**
 * Runs a loss's WGSL over records with the given means of its statistics' terms, which also are what it gets by
 * rank.
 */
export async function runOnGpu(
  device: GPUDevice,
  { wgsl, columns, means }: { wgsl: string; columns: RecordColumns; means: readonly number[] },
): Promise<Float32Array[]> {
  const count = columns[0]!.length;
  const code = `${wgsl}
@group(0) @binding(0) var<storage, read> inputs: array<f32>;
@group(0) @binding(1) var<storage, read_write> outputs: array<f32>;
@group(0) @binding(2) var<uniform> means: vec4f;

@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${count}u) { return; }
  let i = id.x * ${INPUTS}u;
  let record = LossRecord(vec2f(inputs[i], inputs[i + 1u]), vec2f(inputs[i + 2u], inputs[i + 3u]),
    vec2f(inputs[i + 4u], inputs[i + 5u]), inputs[i + 6u], inputs[i + 7u], vec2f(inputs[i + 8u], inputs[i + 9u]),
    inputs[i + 10u], inputs[i + 11u]);
  let value = loss_value(record, loss_statistics(means), means);
  let o = id.x * ${outputNames.length}u;
${outputNames.map((text, index) => `  outputs[o + ${index}u] = ${text};`).join("\n")}
}`;
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const interleaved = new Float32Array(count * INPUTS);
  columns.forEach((column, field) =>
    column.forEach((value, row) => interleaved[row * INPUTS + field] = value)
  );

  const { STORAGE, UNIFORM, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
  const size = 4 * count * outputNames.length;
  const input = device.createBuffer({ size: interleaved.byteLength, usage: STORAGE | COPY_DST });
  const output = device.createBuffer({ size, usage: STORAGE | COPY_SRC });
  const uniform = device.createBuffer({ size: 16, usage: UNIFORM | COPY_DST });
  const readback = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
  device.queue.writeBuffer(input, 0, interleaved);
  device.queue.writeBuffer(uniform, 0, Float32Array.from({ length: 4 }, (_, index) => means[index] ?? 0));
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [input, output, uniform].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(Math.ceil(count / 64));
  pass.end();
  encoder.copyBufferToBuffer(output, 0, readback, 0, size);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error !== null) throw new Error(`${error.message}\n${code}`);

  await readback.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(readback.getMappedRange().slice(0));
  for (const buffer of [input, output, uniform, readback]) buffer.destroy();
  return outputNames.map((_, index) =>
    Float32Array.from({ length: count }, (_, row) => values[row * outputNames.length + index]!)
  );
}

/** The same numbers from the plan, in float64. */
export function runOnHost(
  plan: LossPlan,
  { columns, means }: { columns: RecordColumns; means: readonly number[] },
): Float64Array[] {
  const count = columns[0]!.length;
  const run = (tape: Tape, inputs: readonly (ArrayLike<number> | number)[]) =>
    runTape(tape, { inputs, count });
  const four = (arrays: Float64Array[]) =>
    letters.map((_, index) => arrays[index] ?? new Float64Array(count));
  const statistics = plan.statistics.map(({ value, slope }, index) => ({
    value: run(value, [means[index]!])[0]!,
    slope: run(slope, [means[index]!])[0]!,
  }));
  const matched = plan.loss.matchings.map((_, index) => means[index]!);
  const [loss, ...rest] = run(plan.value, [...columns, ...statistics.map(({ value }) => value), ...matched]);
  const byBatch = rest.slice(5);
  const fields = columns.slice(0, recordFields.length);
  return [
    loss!,
    ...rest.slice(0, 5),
    ...four(byBatch.slice(0, statistics.length)),
    ...four(byBatch.slice(statistics.length)),
    ...four(run(plan.terms.value, fields)),
    ...four(run(plan.terms.byChosen, fields)),
    ...four(run(plan.terms.byRejected, fields)),
    ...four(statistics.map(({ value }) => value)),
    ...four(statistics.map(({ slope }) => slope)),
  ];
}
