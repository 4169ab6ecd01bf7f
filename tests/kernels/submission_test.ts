import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { add } from "../../kernels/add.ts";
import { createGraph, input, output } from "../../kernels/graph.ts";
import { clearParameters, createParameters, layoutParameters } from "../../kernels/parameters.ts";
import { compile } from "../../kernels/program.ts";
import { encodeCommands, submitTogether } from "../../kernels/submission.ts";
import { reshape, type Tensor } from "../../kernels/tensor.ts";
import { testDevice } from "./harness.ts";

const device = await testDevice();
const layout = layoutParameters([{ name: "sum", shape: [4] }], { maximumBytes: 1024 });
const set = await createParameters(device, { layout, label: "sum" });

/** Programs that give x + y, and the same with what the parameter set holds. */
async function programs() {
  const graphs = [null, set.tensors.get("sum")!].map((held: Tensor | null) => {
    const graph = createGraph(device);
    const x = input(graph, "x", { shape: [4] });
    const y = held === null ? input(graph, "y", { shape: [4] }) : reshape(held, [4]);
    output(graph, "sum", add(graph, x, y));
    return graph;
  });
  const [both, held] = await compile(device, { graphs });
  return { both: both!, held: held! };
}

Deno.test("submitTogether submits different programs, copies and clears once, in order", async () => {
  const { both, held } = await programs();
  device.gpu.queue.writeBuffer(set.buffers[0]!, 0, new Float32Array(4).fill(5));
  const { submits } = device.counters;
  const [first, second] = submitTogether(device, () => {
    both.inputs.x!.fill(1);
    both.inputs.y!.fill(2);
    const first = both.run();
    clearParameters(device, set);
    held.inputs.x!.fill(7);
    return [first, held.run()];
  });
  assertEquals(device.counters.submits, submits + 1);
  assertEquals((await first!.read()).sum, new Float32Array(4).fill(3));
  assertEquals((await second!.read()).sum, new Float32Array(4).fill(7));
});

Deno.test("submitTogether submits earlier what a program's next run would overwrite", async () => {
  const { both } = await programs();
  const { submits } = device.counters;
  const runs = submitTogether(device, () =>
    [1, 2, 3].map((value) => {
      both.inputs.x!.fill(value);
      both.inputs.y!.fill(value);
      return both.run();
    }));
  assertEquals(device.counters.submits, submits + 3);
  for (const [i, run] of runs.entries()) {
    assertEquals((await run.read()).sum, new Float32Array(4).fill(2 * (i + 1)));
  }
});

Deno.test("submitTogether within submitTogether waits for the outer one, whose runs can't be read before", async () => {
  const { both, held } = await programs();
  const { submits } = device.counters;
  const runs = submitTogether(device, () => {
    const inner = submitTogether(device, () => both.run());
    const early = assertRejects(() => inner.read(), Error, "this run isn't submitted yet");
    return [early, inner.read.bind(inner), held.run().read] as const;
  });
  assertEquals(device.counters.submits, submits + 1);
  await runs[0];
  await runs[1]();
  await runs[2]();
});

Deno.test("submitTogether submits what came before an error, and nothing of it stays behind", async () => {
  const { both } = await programs();
  const { submits } = device.counters;
  assertThrows(() =>
    submitTogether(device, () => {
      both.run();
      throw new Error("stop");
    })
  );
  assertEquals(device.counters.submits, submits + 1);
  assertEquals(device.submission, null);
  await both.run().read();
  assertEquals(device.counters.submits, submits + 2);
  submitTogether(device, () => {});
  assertEquals(device.counters.submits, submits + 2);
  encodeCommands(device, () => {});
  assertEquals(device.counters.submits, submits + 3);
});
