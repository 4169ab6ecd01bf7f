import { assertEquals, assertThrows } from "@std/assert";
import {
  backward,
  createGraph,
  differentiate,
  input,
  needsGradient,
  output,
  temporary,
} from "../../kernels/graph.ts";
import { zeros } from "./harness.ts";
import { testDevice, trainable } from "./harness.ts";

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
