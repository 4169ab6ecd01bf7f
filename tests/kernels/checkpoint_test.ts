/** Checkpoints of any operations: what they record, and that gradients stay the same bits; those are checked operation by operation elsewhere. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { add } from "../../kernels/add.ts";
import { checkpoint } from "../../kernels/checkpoint.ts";
import { gelu } from "../../kernels/gelu.ts";
import { backward, createGraph, dispatch, type Graph, output } from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import { rmsNorm } from "../../kernels/rms_norm.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { readBuffer } from "../../models/weights.ts";
import { assertClose, filledInput, randomValues, runOnce, testDevice, trainable } from "./harness.ts";

const device = await testDevice();
const ROWS = 12;
const CHANNELS = 16;

type Wrap = (graph: Graph, record: () => Tensor) => Tensor;
const keep: Wrap = (_, record) => record();

/** A weight and its gradient's buffer. */
function weight(seed: number, shape = [CHANNELS, CHANNELS]): Tensor {
  return trainable(device, randomValues(shape.reduce((a, b) => a * b), { seed, scale: 0.3 }), shape);
}

/**
 * Two blocks around a tensor that later operations use as well, the second of which also reads what was made before
 * the first; and a block within a block.
 */
function network(wrap: Wrap) {
  const graph = createGraph(device);
  const weights = [1, 2, 3, 4].map((seed) => weight(seed));
  const scale = weight(5, [CHANNELS]);
  const x = filledInput(graph, "x", {
    values: randomValues(ROWS * CHANNELS, { seed: 6 }),
    shape: [ROWS, CHANNELS],
    dtype: "f32",
  });
  const apply = (x: Tensor, index: number) => linear(graph, x, { weight: weights[index]! });
  const start = apply(x, 0);
  const first = wrap(graph, () => {
    const normed = rmsNorm(graph, start, { weight: scale, epsilon: 1e-5 });
    const inner = wrap(graph, () => gelu(graph, apply(normed, 1), { approximation: "tanh" }));
    return add(graph, apply(inner, 2), start);
  });
  const second = wrap(
    graph,
    () => add(graph, gelu(graph, apply(first, 3), { approximation: "none" }), start),
  );
  const y = add(graph, add(graph, second, first), start);
  const seed = filledInput(graph, "seed", {
    values: randomValues(ROWS * CHANNELS, { seed: 7 }),
    shape: [ROWS, CHANNELS],
    dtype: "f32",
  });
  const forward = graph.dispatches.length;
  backward(graph, new Map([[y, seed]]));
  output(graph, "y", y);
  return { graph, forward, trained: [...weights, scale] };
}

Deno.test("checkpoint gives the same result and gradients bit for bit, also of what several blocks read, and nested", async () => {
  const results = [];
  for (const wrap of [keep, checkpoint]) {
    const { graph, trained } = network(wrap);
    const { y } = await runOnce(graph);
    const gradients = [];
    for (const { gradient } of trained) gradients.push(await readBuffer(device, gradient!.storage.buffer!));
    results.push({ y, gradients });
  }
  assert(results[0]!.gradients.every((values) => values.some((value) => value !== 0)));
  assertEquals(results[1], results[0]);
});

Deno.test("checkpoint lets gradients through what else of the block is used outside", async () => {
  const results = [];
  for (const wrap of [keep, checkpoint]) {
    const graph = createGraph(device);
    const values = {
      values: randomValues(ROWS * CHANNELS, { seed: 6 }),
      shape: [ROWS, CHANNELS],
      dtype: "f32",
    } as const;
    const x = filledInput(graph, "x", values);
    const trained = weight(1);
    let inside!: Tensor;
    const made = wrap(graph, () => {
      inside = linear(graph, x, { weight: trained });
      return gelu(graph, inside, { approximation: "tanh" });
    });
    backward(graph, new Map([[add(graph, made, inside), filledInput(graph, "seed", values)]]));
    await runOnce(graph);
    results.push(await readBuffer(device, trained.gradient!.storage.buffer!));
  }
  // Summed in another order: equal but for the rounding of 12 float32 products.
  assertClose(results[1]!, results[0]!, { tolerance: 1e-6, what: "gradient" });
});

Deno.test("checkpoint records the forward pass once, and again in the backward pass only what gradients read", () => {
  const [kept, again] = [network(keep), network(checkpoint)];
  const labels = ({ graph, forward }: typeof kept, which: "forward" | "backward") => {
    const part = which === "forward" ? graph.dispatches.slice(0, forward) : graph.dispatches.slice(forward);
    return part.map(({ kernel }) => kernel.label.replace(/ subgroup.*| (large|medium|small)$/, ""));
  };
  assertEquals(labels(again, "forward"), labels(kept, "forward"));
  const extra = labels(again, "backward");
  for (const label of labels(kept, "backward")) extra.splice(extra.indexOf(label), 1);
  // The second block's product, whose GELU and sum no gradient reads; the first block up to its inner block's result and that
  // block's product, again without what follows.
  assertEquals(extra, ["matmul NT", "rms norm", "matmul NT", "gelu", "matmul NT"]);
});

Deno.test("checkpoint keeps nothing where no gradient flows", () => {
  const graph = createGraph(device);
  const x = filledInput(graph, "x", { values: [1, 2, 3, 4], shape: [1, 4], dtype: "f32" });
  const y = checkpoint(graph, () => gelu(graph, x, { approximation: "tanh" }));
  assertEquals(graph.tape, []);
  assert(!graph.differentiable.has(y));
});

Deno.test("checkpoint refuses a block whose input is overwritten, by itself or later", () => {
  const overwrite = (graph: Graph, x: Tensor) =>
    dispatch(graph, {
      kernel: { label: "scribble", code: "" },
      bindings: [[x, "update"]],
      workgroups: [1],
    });
  for (const within of [true, false]) {
    const graph = createGraph(device);
    const x = filledInput(graph, "x", {
      values: new Array(ROWS * CHANNELS).fill(1),
      shape: [ROWS, CHANNELS],
      dtype: "f32",
    });
    const y = checkpoint(graph, () => {
      if (within) overwrite(graph, x);
      return linear(graph, x, { weight: weight(1) });
    });
    if (!within) overwrite(graph, x);
    assertThrows(
      () => backward(graph, new Map([[y, y]])),
      Error,
      "checkpoint: scribble overwrites x, which a block reads that is computed again later",
    );
  }
});
