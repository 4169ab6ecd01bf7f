import { assertEquals, assertThrows } from "@std/assert";
import { lookUp } from "../../kernels/embedding.ts";
import {
  backward,
  createGraph,
  differentiate,
  input,
  needsGradient,
  output,
  temporary,
} from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import { sizeOf, type Tensor } from "../../kernels/tensor.ts";
import {
  assertClose,
  filled,
  filledInput,
  randomValues,
  runOnce,
  testDevice,
  trainable,
  zeros,
} from "./harness.ts";

const device = await testDevice();

Deno.test("input and output refuse a name that is taken", () => {
  const graph = createGraph(device);
  const x = input(graph, "x", { shape: [4] });
  assertThrows(
    () => input(graph, "x", { shape: [8] }),
    Error,
    'input: the graph already has an input "x"',
  );
  output(graph, "y", x);
  assertThrows(() => output(graph, "y", x), Error, 'output: the graph already has an output "y"');
});

Deno.test("output keeps a temporary to the end and leaves other memory as it is", () => {
  const graph = createGraph(device);
  const made = temporary([4], "made");
  const given = zeros(device, [4]);
  output(graph, "made", made);
  output(graph, "given", given);
  assertEquals([made.storage.kind, given.storage.kind], ["output", "external"]);
});

Deno.test("differentiate follows only what depends on a parameter", () => {
  const graph = createGraph(device);
  const frozen = zeros(device, [4]);
  const parameter = trainable(device, new Float32Array(4), [4]);
  const [a, b, c] = ["a", "b", "c"].map((label) => temporary([4], label)) as [
    ReturnType<typeof temporary>,
    ReturnType<typeof temporary>,
    ReturnType<typeof temporary>,
  ];
  const rule = () => {};
  differentiate(graph, { output: a, inputs: [frozen], rule });
  differentiate(graph, { output: b, inputs: [a, parameter], rule });
  differentiate(graph, { output: c, inputs: [frozen, b], rule });
  assertEquals([a, b, c].map((tensor) => needsGradient(graph, tensor)), [false, true, true]);
  assertEquals(graph.tape.map(({ output }) => output.storage.label), ["b", "c"]);
});

Deno.test("backward walks from the last operation to the first, skips what no gradient reaches, and keeps the seeds", () => {
  const graph = createGraph(device);
  const parameter = trainable(device, new Float32Array(4), [4]);
  const visited: string[] = [];
  const operation = (label: string, from: ReturnType<typeof temporary>) => {
    const result = temporary([4], label);
    differentiate(graph, {
      output: result,
      inputs: [from],
      rule: (gradient, gradients) => {
        visited.push(`${label} got ${gradient.storage.label}`);
        gradients.set(from, temporary([4], `d${from.storage.label}`));
      },
    });
    return result;
  };
  const first = operation("first", parameter);
  const second = operation("second", first);
  operation("aside", first);
  const third = operation("third", second);
  const seeds = new Map([[third, temporary([4], "seed")]]);
  backward(graph, seeds);
  assertEquals(visited, ["third got seed", "second got dsecond", "first got dfirst"]);
  assertEquals([...seeds.keys()], [third]);
});

Deno.test("backward starts gradients from zero on demand, those that it reaches in part or not at all too", async () => {
  const shapes = { weight: [8, 8], bias: [8], table: [6, 8], unused: [3, 5] };
  const parameters = Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => {
      const size = sizeOf(shape);
      const gradient = filled(device, new Float32Array(size).fill(NaN), { shape });
      return [name, filled(device, randomValues(size, { seed: i }), { shape, gradient })];
    }),
  ) as Record<keyof typeof shapes, Tensor>;
  const { weight, bias, table } = parameters;
  const graph = createGraph(device);
  const lists = (indices: number[], targets: number[], starts: number[], rows: number[]) => ({
    indices: filledInput(graph, "indices", { values: indices, shape: [indices.length] }),
    lists: {
      targets: filledInput(graph, "targets", { values: targets, shape: [targets.length] }),
      starts: filledInput(graph, "starts", { values: starts, shape: [starts.length] }),
      rows: filledInput(graph, "rows", { values: rows, shape: [rows.length] }),
    },
  });
  const x = lookUp(graph, table, lists([4, 1, 4], [1, 4], [0, 1, 3], [1, 0, 2]));
  // The weight is used twice: one use writes its gradient, the other adds to it.
  const y = linear(graph, linear(graph, x, { weight, bias }), { weight });
  const gradient = randomValues(24, { seed: 9 });
  const replacing = Object.values(parameters).map(({ gradient }) => gradient!);
  backward(graph, new Map([[y, filled(device, gradient, { shape: [3, 8] })]]), { replacing });
  for (const [name, { gradient }] of Object.entries(parameters)) output(graph, name, gradient!);
  const results = await runOnce(graph);

  // The same in float64: y = (x Wᵀ + b) Wᵀ.
  const [w, b, e] = [0, 1, 2].map((i) => {
    const size = sizeOf(Object.values(shapes)[i]!);
    return Array.from(randomValues(size, { seed: i }));
  }) as [number[], number[], number[]];
  const expected = {
    weight: Array(64).fill(0),
    bias: Array(8).fill(0),
    table: Array(48).fill(0),
    unused: Array(15).fill(0),
  };
  [4, 1, 4].forEach((entry, row) => {
    const eight = Array.from({ length: 8 }, (_, i) => i);
    const total = (term: (i: number) => number) => eight.reduce((sum, i) => sum + term(i), 0);
    const input = eight.map((i) => e[entry * 8 + i]!);
    const hidden = eight.map((o) => b[o]! + total((i) => w[o * 8 + i]! * input[i]!));
    const dy = eight.map((o) => gradient[row * 8 + o]!);
    const dHidden = eight.map((i) => total((o) => w[o * 8 + i]! * dy[o]!));
    const dInput = eight.map((i) => total((o) => w[o * 8 + i]! * dHidden[o]!));
    for (const o of eight) {
      expected.bias[o] += dHidden[o]!;
      expected.table[entry * 8 + o] += dInput[o]!;
      for (const i of eight) expected.weight[o * 8 + i] += dy[o]! * hidden[i]! + dHidden[o]! * input[i]!;
    }
  });
  for (const [name, values] of Object.entries(expected)) {
    assertClose(results[name]!, values, { tolerance: 1e-6, what: name });
  }
  assertEquals(results.unused, new Float32Array(15));
  assertEquals(graph.replaced.size, 0);
});
