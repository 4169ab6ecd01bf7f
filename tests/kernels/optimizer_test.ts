import { assert, assertEquals } from "@std/assert";
import { createGraph, input, output } from "../../kernels/graph.ts";
import { adamw, gradientNorm, mixAverage, mixParameters } from "../../kernels/optimizer.ts";
import {
  createParameters,
  layoutParameters,
  type ParameterLayout,
  type ParameterSet,
} from "../../kernels/parameters.ts";
import { compile } from "../../kernels/program.ts";
import { readBuffer } from "../../models/weights.ts";
import { assertClose, filledInput, randomValues, runOnce, testDevice } from "./harness.ts";
import { type AdamwState, adamwStep } from "./references/adamw.ts";

const device = await testDevice();

/** Three segments: two tensors that decay and fill one each, then what doesn't decay beside one that does. */
const layout = layoutParameters([
  { name: "embedding", shape: [300, 64] },
  { name: "matrix", shape: [296, 64] },
  { name: "small", shape: [8, 40] },
  { name: "norm", shape: [320] },
], { maximumBytes: 76800 });

const elements = layout.segments.reduce((sum, { bytes }) => sum + bytes / 4, 0);

/** Whether decay applies to an element, counted through all segments. */
function decays(element: number): boolean {
  let first = 0;
  for (const { bytes, decayed } of layout.segments) {
    if (element < first + bytes / 4) return element - first < decayed;
    first += bytes / 4;
  }
  throw new Error("beyond the last segment");
}

/** A set with values in all of its elements, padding included. */
async function parameterSet(
  values: Float32Array<ArrayBuffer>,
  of: ParameterLayout = layout,
): Promise<ParameterSet> {
  const set = await createParameters(device, { layout: of, label: "test" });
  let first = 0;
  for (const buffer of set.buffers) {
    device.gpu.queue.writeBuffer(buffer, 0, values, first, buffer.size / 4);
    first += buffer.size / 4;
  }
  return set;
}

async function valuesOf(set: ParameterSet): Promise<Float32Array> {
  const parts = await Promise.all(set.buffers.map((buffer) => readBuffer(device, buffer)));
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

Deno.test("the test's layout has several segments, one of them with elements of both kinds", () => {
  assertEquals(layout.segments.length, 3);
  assertEquals(layout.segments.map(({ bytes, decayed }) => decayed * 4 / bytes), [1, 1, 0.5]);
});

/** Norm, factor and finite flag of a gradient. */
async function runNorm(values: Float32Array<ArrayBuffer>, limit: number | null): Promise<number[]> {
  const graph = createGraph(device);
  output(graph, "norm", gradientNorm(graph, await parameterSet(values), { limit }));
  const { norm } = await runOnce(graph);
  return [...norm!.subarray(0, 3)];
}

const euclidean = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));

Deno.test("gradientNorm takes the norm over all segments and the factor that clips it", async () => {
  const gradient = randomValues(elements, { seed: 1 });
  const norm = euclidean(gradient);
  const close = (actual: number[], expected: number[]) =>
    actual.forEach((value, i) =>
      assertClose([value], [expected[i]!], { tolerance: 2e-6, what: `entry ${i}` })
    );
  close(await runNorm(gradient, null), [norm, 1, 1]);
  close(await runNorm(gradient, 1), [norm, 1 / (norm + 1e-6), 1]);
  close(await runNorm(gradient, norm * 1.01), [norm, 1, 1]);
  // Where the 1e-6 counts: the norm is 5e-6, the limit 2e-6, the factor a third.
  const tiny = new Float32Array(elements);
  tiny.set([3e-6, 4e-6]);
  close(await runNorm(tiny, 2e-6), [5e-6, 1 / 3, 1]);
  close(await runNorm(new Float32Array(elements), 1), [0, 1, 1]);
});

Deno.test("gradientNorm counts every element once", async () => {
  const gradient = new Float32Array(elements);
  // One element at a time would take long: ones in one segment and zeros elsewhere give the segment's own count.
  let first = 0;
  for (const { bytes } of layout.segments) {
    gradient.fill(0).fill(1, first, first + bytes / 4);
    const [norm] = await runNorm(gradient, null);
    assertClose([norm! ** 2], [bytes / 4], { tolerance: 1e-6, what: `segment at ${first}` });
    first += bytes / 4;
  }
});

Deno.test("gradientNorm flags a gradient that is NaN, infinite or too large to square", async () => {
  for (const value of [NaN, Infinity, -Infinity, 3e38]) {
    for (const at of [0, elements - 300, elements - 1]) {
      const gradient = randomValues(elements, { seed: 1 });
      gradient[at] = value;
      for (const limit of [null, 1]) {
        const [norm, factor, finite] = await runNorm(gradient, limit);
        assert(!Number.isFinite(norm), `${value} at ${at}: the norm is ${norm}`);
        assertEquals([factor, finite], [0, 0], `${value} at ${at}`);
      }
    }
  }
});

const constants = { betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0.1 } as const;

/** Takes AdamW steps on the device with the given gradients. */
async function runAdamw(
  gradients: readonly Float32Array<ArrayBuffer>[],
  { start, limit = null, learningRate = 0.01 }: {
    start: Record<keyof AdamwState, Float32Array<ArrayBuffer>>;
    limit?: number | null;
    learningRate?: number;
  },
): Promise<Record<keyof AdamwState, Float32Array>> {
  const sets = {
    parameters: await parameterSet(start.parameters),
    first: await parameterSet(start.first),
    second: await parameterSet(start.second),
  };
  const [beta1, beta2] = constants.betas;
  for (const [i, gradient] of gradients.entries()) {
    const graph = createGraph(device);
    const current = await parameterSet(gradient);
    const norm = gradientNorm(graph, current, { limit });
    const values = [learningRate, 1 - beta1 ** (i + 1), 1 - beta2 ** (i + 1), 0];
    const step = filledInput(graph, "step", { values, shape: [4], dtype: "f32" });
    adamw(graph, { ...sets, gradients: current }, { ...constants, step, norm });
    await runOnce(graph);
  }
  return {
    parameters: await valuesOf(sets.parameters),
    first: await valuesOf(sets.first),
    second: await valuesOf(sets.second),
  };
}

const start = {
  parameters: randomValues(elements, { seed: 1 }),
  first: randomValues(elements, { seed: 2, scale: 0.1 }),
  second: randomValues(elements, { seed: 3, scale: 0.01 }).map(Math.abs),
};

for (const limit of [null, 1]) {
  Deno.test(`adamw takes three float64 steps${limit === null ? "" : " with a clipped gradient"}`, async () => {
    const gradients = [4, 5, 6].map((seed) => randomValues(elements, { seed, scale: seed / 4 }));
    const actual = await runAdamw(gradients, { start, limit });
    let expected: AdamwState = {
      parameters: Float64Array.from(start.parameters),
      first: Float64Array.from(start.first),
      second: Float64Array.from(start.second),
    };
    gradients.forEach((gradient, i) => {
      const factor = limit === null ? 1 : Math.min(1, limit / (euclidean(gradient) + 1e-6));
      expected = adamwStep(expected, {
        gradient: gradient.map((value) => value * factor),
        learningRate: 0.01,
        ...constants,
        decays,
        step: i + 1,
      });
    });
    for (const name of ["parameters", "first", "second"] as const) {
      assertClose(actual[name], expected[name], { tolerance: 1e-6, what: name });
    }
    // A step changes parameters by about 0.01, so hold the change itself to the same measure.
    const change = (values: ArrayLike<number>) => start.parameters.map((value, i) => values[i]! - value);
    assertClose(change(actual.parameters), change(expected.parameters), { tolerance: 1e-5, what: "change" });
  });
}

Deno.test("adamw decays matrices and leaves vectors alone", async () => {
  const still = { ...start, first: new Float32Array(elements) };
  const { parameters } = await runAdamw([new Float32Array(elements)], { start: still });
  const expected = start.parameters.map((value, i) => decays(i) ? value * (1 - 0.01 * 0.1) : value);
  assertClose(parameters, expected, { tolerance: 1e-7, what: "parameters" });
  parameters.forEach((value, i) => assert(decays(i) || value === start.parameters[i], `element ${i}`));
});

Deno.test("adamw changes not a bit of parameters and moments if the gradient isn't finite", async () => {
  for (const value of [NaN, Infinity]) {
    const gradient = randomValues(elements, { seed: 4 });
    gradient[elements - 1] = value;
    assertEquals(await runAdamw([gradient], { start }), start);
  }
});

/** reference ← α policy + (1 − α) reference. */
async function runMix(
  { policy, reference }: Record<"policy" | "reference", Float32Array<ArrayBuffer>>,
  alpha: number,
): Promise<Float32Array> {
  const sets = { policy: await parameterSet(policy), reference: await parameterSet(reference) };
  const graph = createGraph(device);
  mixParameters(graph, sets, { alpha: input(graph, "alpha", { shape: [4] }) });
  const [program] = await compile(device, { graphs: [graph] });
  program!.inputs.alpha!.set([alpha]);
  await program!.run().read();
  assertEquals(await valuesOf(sets.policy), policy);
  return await valuesOf(sets.reference);
}

Deno.test("mixParameters moves the reference a part of the way, in every segment", async () => {
  const policy = randomValues(elements, { seed: 1 });
  const reference = randomValues(elements, { seed: 2 });
  for (const alpha of [0.6, 0.25]) {
    const expected = Array.from(policy, (value, i) => alpha * value + (1 - alpha) * reference[i]!);
    assertClose(await runMix({ policy, reference }, alpha), expected, {
      tolerance: 2e-7,
      what: `α = ${alpha}`,
    });
  }
});

Deno.test("mixParameters with α = 1 copies to the bit, whatever the reference holds", async () => {
  const policy = randomValues(elements, { seed: 1 });
  const reference = Float32Array.from({ length: elements }, (_, i) => [NaN, Infinity, 1e38, 0][i % 4]!);
  assertEquals(await runMix({ policy, reference }, 1), policy);
});

Deno.test("mixParameters with α = 0 leaves the reference as it is", async () => {
  const reference = randomValues(elements, { seed: 2 });
  assertEquals(await runMix({ policy: randomValues(elements, { seed: 1 }), reference }, 0), reference);
});

Deno.test("mixAverage follows a float64 loop over three updates, in every segment", async () => {
  const initial = randomValues(elements, { seed: 7 });
  const sets = {
    initial: await parameterSet(initial),
    average: await parameterSet(initial),
    reference: await parameterSet(randomValues(elements, { seed: 8 })), // what it was doesn't enter
  };
  let average = Float64Array.from(initial);
  let reference = Float64Array.from(initial);
  for (const [seed, alpha, bias] of [[9, 0.3, 0.6], [10, 0.25, 0.5], [11, 1, 0.4]] as const) {
    const values = randomValues(elements, { seed });
    const policy = await parameterSet(values);
    const graph = createGraph(device);
    mixAverage(graph, { ...sets, policy }, { alpha: input(graph, "alpha", { shape: [4] }) });
    const [program] = await compile(device, { graphs: [graph] });
    program!.inputs.alpha!.set([alpha, bias]);
    await program!.run().read();
    average = average.map((value, i) => alpha * values[i]! + (1 - alpha) * value);
    reference = average.map((value, i) => value + bias * (values[i]! - initial[i]!));
    assertEquals(await valuesOf(policy), values);
  }
  assertClose(await valuesOf(sets.average), average, { tolerance: 3e-7, what: "average" });
  assertClose(await valuesOf(sets.reference), reference, { tolerance: 3e-7, what: "reference" });
  assertEquals(await valuesOf(sets.initial), initial);
});
