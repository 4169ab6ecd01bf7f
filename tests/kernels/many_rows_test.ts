/** More rows than workgroups fit into one dimension, where a workgroup has one row. */
import { assert, assertRejects } from "@std/assert";
import { backward, createGraph, dispatch, type Graph, output, temporary } from "../../kernels/graph.ts";
import { layerNorm } from "../../kernels/layer_norm.ts";
import { compile } from "../../kernels/program.ts";
import { rmsNorm } from "../../kernels/rms_norm.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { tokenLogProbs } from "../../kernels/token_log_probs.ts";
import zerosWgsl from "../../kernels/zeros.wgsl" with { type: "text" };
import { elementsOf } from "../../kernels/elements.ts";
import { filled, filledInput, randomValues, runOnce, testDevices, watchGradient } from "./harness.ts";

const ROWS = 65_600;
/** From so many numbers on, 64 threads share a row. */
const CHANNELS = 256;
const PERIOD = 3;

const { GPU: device } = await testDevices();

/** A tensor whose rows repeat after PERIOD. */
function repeating(seed: number, channels: number): Tensor {
  const period = randomValues(PERIOD * channels, { seed });
  const values = Float32Array.from({ length: ROWS * channels }, (_, i) => period[i % period.length]!);
  return filled(device, values, { shape: [ROWS, channels] });
}

/** The tests of each operation hold the first rows to the float64 reference; all others must repeat them. */
async function assertRepeats(graph: Graph, names: readonly string[]): Promise<void> {
  const results = await runOnce(graph);
  for (const name of names) {
    const values = results[name]!;
    const period = values.length / ROWS * PERIOD;
    assert(values.subarray(0, period).some((value) => value !== 0), `${name} is zero`);
    const wrong = values.findIndex((value, i) => value !== values[i % period]);
    assert(wrong === -1, `${name}[${wrong}] is ${values[wrong]}, wanted ${values[wrong % period]}`);
  }
}

const vector = (seed: number) => filled(device, randomValues(CHANNELS, { seed }), { shape: [CHANNELS] });

const norms: Record<string, (graph: Graph, x: Tensor) => Tensor> = {
  rmsNorm: (graph, x) => rmsNorm(graph, x, { weight: vector(2), epsilon: 1e-5 }),
  layerNorm: (graph, x) => layerNorm(graph, x, { weight: vector(2), bias: vector(3), epsilon: 1e-5 }),
};

for (const [name, norm] of Object.entries(norms)) {
  Deno.test(`${name} and its gradient reach every one of ${ROWS} rows`, async () => {
    const graph = createGraph(device);
    const x = repeating(1, CHANNELS);
    watchGradient(graph, x, "dx");
    const y = norm(graph, x);
    backward(graph, new Map([[y, repeating(4, CHANNELS)]]));
    output(graph, "y", y);
    await assertRepeats(graph, ["y", "dx"]);
  });
}

Deno.test(`tokenLogProbs reaches every one of ${ROWS} rows`, async () => {
  const graph = createGraph(device);
  const targets = filledInput(graph, "targets", {
    values: Array.from({ length: ROWS }, (_, i) => i % PERIOD),
    shape: [ROWS],
  });
  const head = filled(device, randomValues(CHANNELS * 4, { seed: 2 }), { shape: [CHANNELS, 4] });
  const { logProbs, logWeights, others } = tokenLogProbs(graph, repeating(1, 4), {
    head,
    targets,
    logWeights: true,
    logitsBytes: 2 ** 28,
    others: [{ hidden: repeating(3, 4), head }],
  });
  output(graph, "log-probs", logProbs);
  output(graph, "log-weights", logWeights!);
  output(graph, "divergences", others[0]!.divergences);
  await assertRepeats(graph, ["log-probs", "log-weights", "divergences"]);
});

Deno.test("compile refuses more workgroups than the device starts, by the kernel's name", async () => {
  const graph = createGraph(device);
  const y = temporary([4], "y");
  dispatch(graph, {
    kernel: { label: "too many", code: elementsOf(4).header + zerosWgsl },
    bindings: [[y, "write"]],
    uniforms: [1],
    workgroups: [1, 65_536],
  });
  const error = await assertRejects(() => compile(device, { graphs: [graph] }), RangeError);
  assert(error.message.startsWith('The kernel "too many" needs 1 × 65536 workgroups'), error.message);
});
