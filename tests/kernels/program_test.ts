import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Device } from "../../kernels/device.ts";
import {
  backward,
  createGraph,
  dispatch,
  type Graph,
  input,
  output,
  temporary,
} from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import { matmul } from "../../kernels/matmul.ts";
import { compile, planPrograms, type Program } from "../../kernels/program.ts";
import { rmsNorm } from "../../kernels/rms_norm.ts";
import { swiglu } from "../../kernels/swiglu.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { assertClose, randomValues, runOnce, testDevice, trainable, watchGradient } from "./harness.ts";

const device = await testDevice();

/** A small network with a backward pass: input `x` and `dy`, outputs `y` and `dx`. */
function network(on: Device = device): Graph {
  const graph = createGraph(on);
  const weight = (rows: number, columns: number, seed: number) =>
    trainable(on, randomValues(rows * columns, { seed }), [rows, columns]);
  const x = input(graph, "x", { shape: [40, 32] });
  watchGradient(graph, x, "dx");
  const norm = trainable(on, randomValues(32, { seed: 1 }), [32]);
  const normed = rmsNorm(graph, x, { weight: norm, epsilon: 1e-5 });
  const hidden = swiglu(graph, linear(graph, normed, { weight: weight(128, 32, 2) }));
  const y = linear(graph, hidden, { weight: weight(32, 64, 3), residual: x });
  backward(graph, new Map([[y, input(graph, "dy", { shape: [40, 32] })]]));
  output(graph, "y", y);
  return graph;
}

async function compileOne(graph: Graph): Promise<Program> {
  const [program] = await compile(graph.device, { graphs: [graph] });
  return program!;
}

/** Adds one to its input, by a kernel of its own. */
function addOne(graph: Graph, x: Tensor, amount: number | { f32: number } = { f32: 1 }): Tensor {
  const type = typeof amount === "number" ? "u32" : "f32";
  const y = temporary(x.shape, "plus one");
  dispatch(graph, {
    kernel: {
      label: "add one",
      code: `struct Amount { value: ${type} }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> amount: Amount;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&x)) { y[id.x] = x[id.x] + f32(amount.value); }
}`,
    },
    bindings: [[x, "read"], [y, "write"]],
    uniforms: [amount],
    workgroups: [Math.ceil(x.shape[0]! / 64)],
  });
  return y;
}

Deno.test("a program gives identical bits on every run with the same inputs, and others with others", async () => {
  const program = await compileOne(network());
  const run = async (seed: number) => {
    program.inputs.x!.set(randomValues(40 * 32, { seed }));
    program.inputs.dy!.set(randomValues(40 * 32, { seed: seed + 1 }));
    return await program.run().read();
  };
  const [first, other, again] = [await run(5), await run(6), await run(5)];
  assertEquals(again, first);
  assert(first.y!.some((value, i) => value !== other.y![i]));
  assert(first.dx!.some((value, i) => value !== other.dx![i]));
});

Deno.test("a program takes inputs by name, each of its type, and returns outputs by name", async () => {
  const graph = createGraph(device);
  const types = { f32: Float32Array, i32: Int32Array, u32: Uint32Array };
  for (const dtype of ["f32", "i32", "u32"] as const) {
    output(graph, `same ${dtype}`, input(graph, dtype, { shape: [3], dtype }));
  }
  const program = await compileOne(graph);
  assertEquals(Object.keys(program.inputs), ["f32", "i32", "u32"]);
  for (const [name, Type] of Object.entries(types)) {
    assert(program.inputs[name] instanceof Type);
    assertEquals(program.inputs[name]!.length, 3);
  }
  program.inputs.f32!.set([1, 2, 3]);
  program.inputs.i32!.set([-1, 0, 1]);
  const outputs = await program.run().read();
  assertEquals(Object.keys(outputs), ["same f32", "same i32", "same u32"]);
  assertEquals([...outputs["same f32"]!], [1, 2, 3]);
  assertEquals([...new Int32Array(outputs["same i32"]!.buffer)], [-1, 0, 1]);
});

Deno.test("a program's uniforms arrive as integers and as floats", async () => {
  const graph = createGraph(device);
  const x = input(graph, "x", { shape: [2] });
  output(graph, "float", addOne(graph, x, { f32: 0.5 }));
  output(graph, "integer", addOne(graph, x, 3));
  const { float, integer } = await runOnce(graph);
  assertEquals([[...float!], [...integer!]], [[0.5, 0.5], [3, 3]]);
});

Deno.test("runs that are submitted together each keep their own outputs", async () => {
  const graph = createGraph(device);
  output(graph, "y", addOne(graph, input(graph, "x", { shape: [1] })));
  const program = await compileOne(graph);
  const pending = [10, 20, 30].map((value) => {
    program.inputs.x!.set([value]);
    return program.run();
  });
  const outputs = await Promise.all(pending.reverse().map((run) => run.read()));
  assertEquals(outputs.map(({ y }) => y![0]), [31, 21, 11]);
});

Deno.test("an outputless run can be waited for", async () => {
  const graph = createGraph(device);
  addOne(graph, input(graph, "x", { shape: [1] }));
  const program = await compileOne(graph);
  assertEquals(await program.run().read(), {});
});

Deno.test("programs compiled together share their temporaries and follow one another", async () => {
  const graphs = [1, 2].map(() => network());
  const [first, second] = await compile(device, { graphs });
  assertEquals(first!.memory, second!.memory);
  assertEquals(first!.memory.temporaries, planPrograms([network()]).temporaries);
  const x = randomValues(40 * 32, { seed: 1 });
  for (const { inputs } of [first!, second!]) inputs.x!.set(x);
  const before = await first!.run().read();
  await second!.run().read();
  assertEquals(await first!.run().read(), before);
});

/** Wraps methods of the device while `body` runs; returns how often each was called. */
async function countCalls(
  gpu: GPUDevice,
  body: () => Promise<void>,
): Promise<Record<string, { calls: number; bytes: number }>> {
  const names = [
    "createBuffer",
    "createBindGroup",
    "createBindGroupLayout",
    "createComputePipeline",
    "createComputePipelineAsync",
    "createPipelineLayout",
    "createShaderModule",
    "createTexture",
  ] as const;
  const counted: Record<string, { calls: number; bytes: number }> = {};
  for (const name of names) {
    const original = gpu[name] as (descriptor: unknown) => unknown;
    const entry = counted[name] = { calls: 0, bytes: 0 };
    Object.defineProperty(gpu, name, {
      configurable: true,
      value: (descriptor: { size?: number }) => {
        entry.calls++;
        entry.bytes += descriptor.size ?? 0;
        return original.call(gpu, descriptor);
      },
    });
  }
  try {
    await body();
  } finally {
    for (const name of names) delete (gpu as unknown as Record<string, unknown>)[name];
  }
  return counted;
}

Deno.test("replaying a program creates nothing on the device once it is warm", async () => {
  const program = await compileOne(network());
  const fill = (seed: number) => program.inputs.x!.set(randomValues(40 * 32, { seed }));
  // Two runs under way at a time, as when metrics are read a step late.
  let before = program.run();
  const replay = async (seed: number) => {
    fill(seed);
    const pending = program.run();
    await before.read();
    before = pending;
  };
  await replay(1);
  const { submits, ...created } = device.counters;
  const counted = await countCalls(device.gpu, async () => {
    for (let seed = 2; seed < 22; seed++) await replay(seed);
  });
  await before.read();
  for (const [name, { calls }] of Object.entries(counted)) assertEquals(calls, 0, name);
  assertEquals(device.counters, { ...created, submits: submits + 20, readbacks: created.readbacks + 20 });
});

Deno.test("countCalls sees what a compilation creates, and it is what the program's memory says", async () => {
  let program: Program | undefined;
  const graph = network();
  const counted = await countCalls(device.gpu, async () => {
    program = await compileOne(graph);
    await program.run().read();
  });
  assertEquals(counted.createBindGroup!.calls, program!.dispatches);
  assertEquals(counted.createBuffer!.bytes, program!.memory.total);
  assertEquals(planPrograms([graph]), program!.memory);
  assertEquals(program!.memory.total, program!.memory.temporaries + program!.memory.transfers);
});

Deno.test("compile takes a kernel once for all of its launches and programs", async () => {
  const text = () => {
    const graph = createGraph(device);
    const a = input(graph, "a", { shape: [20, 24] });
    const b = input(graph, "b", { shape: [24, 28] });
    for (let i = 0; i < 3; i++) output(graph, `${i}`, matmul(graph, a, b, { variant: { tile: "small" } }));
    return graph;
  };
  await compileOne(text());
  const counted = await countCalls(device.gpu, async () => {
    await compile(device, { graphs: [text(), text()] });
  });
  assertEquals(counted.createComputePipeline!.calls + counted.createShaderModule!.calls, 0);
});

Deno.test("compile refuses what exceeds the memory limit, in bytes, before it allocates", async () => {
  const graph = network();
  const { total } = planPrograms([graph]);
  const buffers = device.counters.buffers;
  await assertRejects(
    () => compile(device, { graphs: [graph], memoryLimit: total + 999, reserved: 1000 }),
    RangeError,
    `This run needs ${
      total + 1000
    } bytes on the device (1000 for weights and optimizer, ${total} for activations ` +
      `and transfers), more than the limit of ${total + 999} bytes. Use a smaller batch_size or max_length.`,
  );
  assertEquals(device.counters.buffers, buffers);
  await compile(device, { graphs: [graph], memoryLimit: total + 1000, reserved: 1000 });
});

Deno.test("compile names a tensor that is larger than one binding may be", async () => {
  const limits = { maxStorageBufferBindingSize: 1024, maxBufferSize: 4096 } as GPUSupportedLimits;
  const small: Device = { ...device, gpu: { limits } as GPUDevice };
  const graph = createGraph(small);
  addOne(graph, input(graph, "x", { shape: [257] }));
  await assertRejects(
    () => compile(small, { graphs: [graph] }),
    RangeError,
    `The tensor plus one needs 1028 bytes; one binding of "${device.description}" holds at most 1024`,
  );
});

Deno.test("compile names the kernel whose WGSL is wrong, or which makes no pipeline", async () => {
  const broken = (code: string) => {
    const graph = createGraph(device);
    dispatch(graph, { kernel: { label: "broken", code }, bindings: [], workgroups: [1] });
    return compile(device, { graphs: [graph] });
  };
  const invalid = await assertRejects(
    () => broken("@compute @workgroup_size(1) fn main() {\n  let x: u32 = 1.5;\n}"),
    Error,
    'The kernel "broken" doesn\'t compile: ',
  );
  assert(/\b2\b/.test(invalid.message), `no line number in: ${invalid.message}`);
  await assertRejects(
    () => broken("@fragment fn main() {}"),
    Error,
    'The kernel "broken" makes no pipeline: ',
  );
  // Nothing is left behind that would fail the next program.
  const { y } = await runOnce((() => {
    const graph = createGraph(device);
    output(graph, "y", addOne(graph, input(graph, "x", { shape: [1] })));
    return graph;
  })());
  assertClose(y!, [1], { tolerance: 0, what: "y" });
});

Deno.test("compile says which tensor an output or a kernel wants that nothing writes", async () => {
  const graph = createGraph(device);
  output(graph, "y", temporary([4], "never made"));
  await assertRejects(
    () => compile(device, { graphs: [graph] }),
    Error,
    "never made has no memory: it was never written",
  );
});
