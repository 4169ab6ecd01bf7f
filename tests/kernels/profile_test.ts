import { assert, assertEquals, assertRejects } from "@std/assert";
import { createGraph, input, output } from "../../kernels/graph.ts";
import { profile } from "../../kernels/profile.ts";
import { compile } from "../../kernels/program.ts";
import { swiglu } from "../../kernels/swiglu.ts";
import { testDevice, zeros } from "./harness.ts";
import { rmsNorm } from "../../kernels/rms_norm.ts";

const device = await testDevice();

async function program() {
  const graph = createGraph(device);
  const x = input(graph, "x", { shape: [256, 128] });
  const weight = zeros(device, [64]);
  const normed = rmsNorm(graph, swiglu(graph, x), { weight, epsilon: 1e-5 });
  output(graph, "y", rmsNorm(graph, normed, { weight, epsilon: 1e-5 }));
  const [compiled] = await compile(device, { graphs: [graph] });
  return compiled!;
}

Deno.test({
  name: "profile sums the time of a program's launches by kernel, longest first",
  ignore: !device.gpu.features.has("timestamp-query"),
  async fn() {
    const compiled = await program();
    await compiled.run().read();
    const times = await profile(device, compiled);
    const launches = Object.fromEntries(times.map(({ label, launches }) => [label, launches]));
    assertEquals(launches, { swiglu: 1, "rms norm": 2 });
    assert(times.every(({ milliseconds }) => milliseconds >= 0 && milliseconds < 1e4));
    assert(times[0]!.milliseconds >= times[1]!.milliseconds);
    assert(times[0]!.milliseconds > 0);
  },
});

Deno.test("profile says which feature it needs", async () => {
  const gpu = { features: new Set() } as unknown as GPUDevice;
  await assertRejects(
    async () => await profile({ ...device, gpu }, await program()),
    Error,
    `but "${device.description}" was opened without the feature timestamp-query`,
  );
});
