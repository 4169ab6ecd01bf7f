/** Recordings: what is recorded computes the same, and is told in order. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { lookUp } from "../../kernels/embedding.ts";
import { createGraph, input, output } from "../../kernels/graph.ts";
import { matmul } from "../../kernels/matmul.ts";
import { sumByKernel } from "../../kernels/profile.ts";
import { compile, type Program } from "../../kernels/program.ts";
import { startRecording } from "../../kernels/recorder.ts";
import { externalTensor } from "../../kernels/tensor.ts";
import { traceOf } from "../../kernels/trace.ts";
import { filled, testDevice, zeros } from "./harness.ts";

const device = await testDevice();
const ignore = !device.gpu.features.has("timestamp-query");

/** y ← y + x · 1, which shows how often it ran; and a look-up of three rows of 8. */
async function program(): Promise<{ compiled: Program }> {
  const graph = createGraph(device);
  const x = input(graph, "x", { shape: [4, 8] });
  const sum = zeros(device, [4, 12]);
  matmul(graph, x, filled(device, new Float32Array(96).fill(1), { shape: [8, 12] }), { into: sum });
  output(graph, "sum", externalTensor(sum.storage.buffer!, { shape: [4, 12] }));
  const indices = input(graph, "indices", { shape: [3], dtype: "u32" });
  output(graph, "rows", lookUp(graph, zeros(device, [100, 8]), { indices }));
  const [compiled] = await compile(device, { graphs: [graph] });
  return { compiled: compiled! };
}

Deno.test({
  name: "a recorded program runs once a run, and returns what it returns otherwise",
  ignore,
  async fn() {
    const { compiled } = await program();
    compiled.inputs.x!.fill(1);
    assertEquals((await compiled.run().read()).sum, new Float32Array(48).fill(8));
    const recording = startRecording(device);
    compiled.inputs.x!.fill(2);
    const pending = compiled.run();
    assertEquals((await pending.read()).sum, new Float32Array(48).fill(8 + 16));
    const { launches } = await recording.stop();
    assertEquals(launches.map(({ launch }) => launch), [...compiled.launches]);
    assertEquals((await compiled.run().read()).sum, new Float32Array(48).fill(8 + 16 + 16));
  },
});

Deno.test({
  name: "recorded launches and host events follow each other without overlap",
  ignore,
  async fn() {
    const { compiled } = await program();
    await compiled.run().read();
    const recording = startRecording(device);
    for (let i = 0; i < 3; i++) await compiled.run().read();
    const { launches, host, duration } = await recording.stop();
    assertEquals(launches.length, 6);
    assertEquals(host.map(({ name }) => name), Array(3).fill(["encode", "submit", "wait"]).flat());
    for (const row of [launches, host]) {
      for (const [i, { start, duration: own }] of row.entries()) {
        const before = row[i - 1];
        assert(own >= 0 && start >= (before === undefined ? 0 : before.start + before.duration));
      }
    }
    assert(
      launches[0]!.start >= host[0]!.start + host[0]!.duration,
      "the device starts after the first encode",
    );
    assert(host.reduce((sum, { duration }) => sum + duration, 0) <= duration);
    assert(launches.reduce((sum, { duration }) => sum + duration, 0) > 0);
  },
});

Deno.test({
  name: "launches tell their operations and bytes",
  ignore,
  async fn() {
    const { compiled } = await program();
    const recording = startRecording(device);
    await compiled.run().read();
    const sums = sumByKernel((await recording.stop()).launches);
    const product = sums.find(({ label }) => label.startsWith("matmul NN"))!;
    // By hand: a [4, 8] by [8, 12] product, which reads and writes its result.
    assertEquals([product.flops, product.bytes], [2 * 4 * 8 * 12, 4 * (4 * 8 + 8 * 12 + 2 * 4 * 12)]);
    const lookedUp = sums.find(({ label }) => label === "look-up")!;
    // Three rows of 8 in and out, however long the table is.
    assertEquals([lookedUp.flops, lookedUp.bytes], [null, 4 * 2 * 3 * 8]);
  },
});

Deno.test({
  name: "a device has one recording at a time",
  ignore,
  async fn() {
    const recording = startRecording(device);
    assertThrows(() => startRecording(device), Error, "this device is being recorded already");
    await recording.stop();
    await startRecording(device).stop();
  },
});

Deno.test("traceOf writes complete events in microseconds and names its rows", () => {
  const program = {} as Program;
  const launch = { label: "add", workgroups: [3, 2, 1] as const, flops: null, bytes: 64 };
  const trace = traceOf({
    launches: [{
      program,
      launch: launch as unknown as Program["launches"][number],
      start: 1.5,
      duration: 0.25,
    }],
    host: [{ name: "encode", start: 0.5, duration: 1 }],
    duration: 2,
  }, { nameOf: () => "train", device: "a GPU" });
  // Field names, phases and units as the Trace Event Format defines them.
  assertEquals(JSON.parse(JSON.stringify(trace.traceEvents)), [
    { name: "process_name", ph: "M", pid: 1, tid: 1, args: { name: "@tr/align" } },
    { name: "thread_name", ph: "M", pid: 1, tid: 1, args: { name: "host" } },
    { name: "thread_name", ph: "M", pid: 1, tid: 2, args: { name: "a GPU" } },
    { name: "encode", ph: "X", pid: 1, tid: 1, ts: 500, dur: 1000, cat: "host", args: {} },
    {
      name: "add",
      ph: "X",
      pid: 1,
      tid: 2,
      ts: 1500,
      dur: 250,
      cat: "kernel",
      args: { program: "train", workgroups: "3 × 2 × 1", bytes: 64 },
    },
  ]);
});
