/** Linear layers in all the forms that their weights come in. */
import { assertEquals, assertThrows } from "@std/assert";
import { type Adapter, mergedWeight } from "../../kernels/adapter.ts";
import type { Device } from "../../kernels/device.ts";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import {
  assertClose,
  filled,
  filledInput,
  packed,
  randomValues,
  runOnce,
  testDevices,
  watchGradient,
} from "./harness.ts";
import { type AdaptedLayer, referenceAdapted, referenceMerged } from "./references/adapter.ts";
import { plus, transpose } from "./references/matmul.ts";

const devices = await testDevices();

/** Sums of up to 100 float32 products of numbers below 1. */
const TOLERANCE = 3e-6;

const [rows, inputs, outputs, rank] = [20, 24, 44, 4] as const;

/** Numbers that bfloat16 holds. */
const values = (count: number, seed: number) =>
  randomValues(count, { seed }).map((value) => Math.round(value * 64) / 64);

/** Two parts that leave some outputs alone, at multiples of 4 or not. */
function randomLayer({ ragged }: { ragged: boolean }): AdaptedLayer {
  const [first, second] = ragged ? [[3, 10], [21, 19]] as const : [[0, 16], [28, 16]] as const;
  return {
    rows,
    inputs,
    outputs,
    rank,
    x: values(rows * inputs, 1),
    weight: values(outputs * inputs, 2),
    dy: values(rows * outputs, 3),
    a: values(2 * rank * inputs, 4),
    parts: [
      { start: first[0], rows: first[1], scale: 2, b: values(first[1] * rank, 5) },
      { start: second[0], rows: second[1], scale: 0.5, b: values(second[1] * rank, 6) },
    ],
  };
}

/** How the weights of a layer are kept. */
interface Form {
  transposed: boolean;
  /** Rows of each tensor; one for all of them if undefined. */
  parts: readonly number[] | undefined;
  storage: "trained" | "frozen" | "bfloat16";
  adapter: "none" | "trained" | "frozen";
  bias: "trained" | "frozen";
}

/** As the weight lies in memory. */
function stored(weight: ArrayLike<number>, transposed: boolean): Float32Array<ArrayBuffer> {
  return transposed
    ? Float32Array.from(transpose({ values: weight, rows: outputs, columns: inputs }).values)
    : Float32Array.from(weight);
}

function tensorsOf(device: Device, weight: ArrayLike<number>, form: Form): Tensor[] {
  const { transposed, storage } = form;
  const [height, width] = transposed ? [inputs, outputs] : [outputs, inputs];
  const all = stored(weight, transposed);
  let start = 0;
  return (form.parts ?? [height]).map((rows) => {
    const own = all.slice(start * width, (start + rows) * width);
    // What was there before: the same numbers once more.
    const gradient = storage === "trained" ? filled(device, own, { shape: [rows, width] }) : undefined;
    start += rows;
    return storage === "bfloat16"
      ? packed(device, own, [rows, width])
      : filled(device, own, { shape: [rows, width], ...(gradient ? { gradient } : {}) });
  });
}

function adapterOf(device: Device, layer: AdaptedLayer, { trained }: { trained: boolean }): Adapter {
  const tensor = (values: Float32Array, shape: readonly number[]) => {
    const zero = filled(device, new Float32Array(values.length), { shape });
    return filled(device, Float32Array.from(values), { shape, ...(trained ? { gradient: zero } : {}) });
  };
  return {
    a: tensor(layer.a, [layer.parts.length * rank, inputs]),
    rank,
    parts: layer.parts.map(({ start, rows, scale, b }) => ({ start, scale, b: tensor(b, [rows, rank]) })),
  };
}

async function assertForm(device: Device, form: Form): Promise<void> {
  // A ragged form is ragged everywhere.
  const layer = randomLayer({ ragged: form.parts?.some((rows) => rows % 4 !== 0) ?? false });
  const graph = createGraph(device);
  const x = filledInput(graph, "x", { values: layer.x, shape: [rows, inputs], dtype: "f32" });
  watchGradient(graph, x, "dx");
  const biasValues = values(outputs, 7), residualValues = values(rows * outputs, 8);
  const biasGradient = filled(device, biasValues, { shape: [outputs] });
  const bias = filled(device, biasValues, {
    shape: [outputs],
    ...(form.bias === "trained" ? { gradient: biasGradient } : {}),
  });
  const tensors = tensorsOf(device, layer.weight, form);
  const adapter = form.adapter === "none"
    ? undefined
    : adapterOf(device, layer, { trained: form.adapter === "trained" });
  const y = linear(graph, x, {
    weight: form.parts ? tensors : tensors[0]!,
    transposed: form.transposed,
    bias,
    adapter,
    residual: filled(device, residualValues, { shape: [rows, outputs] }),
  });
  output(graph, "y", y);
  backward(graph, new Map([[y, filled(device, Float32Array.from(layer.dy), { shape: [rows, outputs] })]]));
  output(graph, "db", biasGradient);
  const trainsWeight = form.storage === "trained" && form.adapter === "none";
  if (trainsWeight) tensors.forEach(({ gradient }, i) => output(graph, `dW${i}`, gradient!));
  if (form.adapter === "trained") {
    output(graph, "dA", adapter!.a.gradient!);
    adapter!.parts.forEach(({ b }, i) => output(graph, `dB${i}`, b.gradient!));
  }
  const actual = await runOnce(graph);

  const wanted = referenceAdapted(form.adapter === "none" ? { ...layer, parts: [] } : layer);
  const what = (name: string) => `${name} of ${JSON.stringify(form)}`;
  const close = (name: string, numbers: ArrayLike<number>, own = actual[name]!) =>
    assertClose(own, numbers, { tolerance: TOLERANCE, what: what(name) });
  close("y", wanted.y.map((value, i) => value + biasValues[i % outputs]! + residualValues[i]!));
  close("dx", wanted.dx);
  const db = Float64Array.from(biasValues);
  if (form.bias === "trained") layer.dy.forEach((value, i) => db[i % outputs]! += value);
  close("db", db);
  if (trainsWeight) {
    const all = tensors.flatMap((_, i) => [...actual[`dW${i}`]!]);
    close("dW", stored(plus(wanted.dW, layer.weight), form.transposed), Float32Array.from(all));
  }
  if (form.adapter === "trained") {
    close("dA", wanted.dA);
    wanted.dB.forEach((gradient, i) => close(`dB${i}`, gradient));
  }
}

for (const [kind, device] of Object.entries(devices)) {
  for (const transposed of [false, true]) {
    const how = transposed ? "stored transposed" : "as Hugging Face stores it";
    const parts = transposed ? [[8, 16], [5, 8, 11]] : [[12, 28, 4], [13, 6, 25]];
    Deno.test(`linear on a ${kind} adapter, weight ${how}: result and gradients, with bias and residual`, async () => {
      for (const storage of ["trained", "frozen", "bfloat16"] as const) {
        await assertForm(device, { transposed, parts: undefined, storage, adapter: "none", bias: "trained" });
      }
      const form = { transposed, parts: undefined, storage: "bfloat16" } as const;
      await assertForm(device, { ...form, adapter: "trained", bias: "frozen" });
      await assertForm(device, { ...form, adapter: "trained", bias: "trained" });
      await assertForm(device, { ...form, adapter: "frozen", bias: "trained" });
    });

    Deno.test(`linear on a ${kind} adapter, weight in parts ${how}: result and gradients`, async () => {
      for (const rows of parts) {
        const form = { transposed, parts: rows, bias: "trained" } as const;
        await assertForm(device, { ...form, storage: "trained", adapter: "none" });
        await assertForm(device, { ...form, storage: "bfloat16", adapter: "none" });
        await assertForm(device, { ...form, storage: "frozen", adapter: "trained" });
        await assertForm(device, { ...form, storage: "bfloat16", adapter: "frozen" });
      }
    });
  }

  Deno.test(`mergedWeight on a ${kind} adapter of a weight stored transposed is the transposed one`, async () => {
    for (const ragged of [false, true]) {
      for (const storage of ["frozen", "bfloat16"] as const) {
        const layer = randomLayer({ ragged });
        const graph = createGraph(device);
        const form = {
          transposed: true,
          parts: undefined,
          storage,
          adapter: "frozen",
          bias: "frozen",
        } as const;
        const [weight] = tensorsOf(device, layer.weight, form);
        const adapter = adapterOf(device, layer, { trained: false });
        output(graph, "merged", mergedWeight(graph, weight!, { adapter, transposed: true }));
        output(graph, "copy", mergedWeight(graph, weight!, { adapter: null, transposed: true }));
        const { merged, copy } = await runOnce(graph);
        const wanted = transpose({ values: referenceMerged(layer), rows: outputs, columns: inputs }).values;
        assertClose(merged!, wanted, { tolerance: TOLERANCE, what: `merged, ragged ${ragged}` });
        assertEquals(copy, stored(layer.weight, true));
      }
    }
  });
}

Deno.test("linear adds to the gradients of those parts of a weight that are trained", async () => {
  const device = devices.software;
  const graph = createGraph(device);
  const x = filled(device, values(rows * 8, 1), { shape: [rows, 8] });
  const gradient = filled(device, new Float32Array(5 * 8), { shape: [5, 8] });
  const trained = filled(device, values(5 * 8, 2), { shape: [5, 8], gradient });
  const frozen = filled(device, values(3 * 8, 3), { shape: [3, 8] });
  const y = linear(graph, x, { weight: [frozen, trained] });
  const forward = graph.dispatches.length;
  backward(graph, new Map([[y, filled(device, values(rows * 8, 4), { shape: [rows, 8] })]]));
  assertEquals(graph.dispatches.length, forward + 1);
  output(graph, "dW", gradient);
  const { dW } = await runOnce(graph);
  const [left, right] = [values(rows * 8, 4), values(rows * 8, 1)];
  const wanted = Float64Array.from({ length: 5 * 8 }, (_, i) => {
    let sum = 0;
    for (let t = 0; t < rows; t++) sum += left[t * 8 + 3 + (i >> 3)]! * right[t * 8 + (i & 7)]!;
    return sum;
  });
  assertClose(dW!, wanted, { tolerance: TOLERANCE, what: "dW" });
});

Deno.test("linear says which parts and biases don't fit", () => {
  const graph = createGraph(devices.software);
  const tensor = (name: string, shape: number[]) => input(graph, name, { shape });
  const x = tensor("x", [3, 8]), eight = tensor("8", [5, 8]), six = tensor("6", [5, 6]);
  assertThrows(
    () => linear(graph, x, { weight: [eight, six] }),
    RangeError,
    "A weight in parts is [5,8], [5,6]; wanted [rows, columns] with equal columns",
  );
  assertThrows(
    () => linear(graph, x, { weight: [] }),
    RangeError,
    "A weight in parts is empty; wanted [rows",
  );
  assertThrows(
    () => linear(graph, x, { weight: [six, six], transposed: true }),
    RangeError,
    "linear: x is [3,8], the parts of the weight have 10 rows together",
  );
  const bias = tensor("bias", [9]);
  assertThrows(() => linear(graph, x, { weight: eight, bias }), RangeError, "5 columns, the bias is [9]");
  assertThrows(
    () => linear(graph, x, { weight: [eight, eight], bias }),
    RangeError,
    "10 outputs, the bias is [9]",
  );
});
