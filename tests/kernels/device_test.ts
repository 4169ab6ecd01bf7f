import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createDevice, createStorage, maximumBindingBytes, requestDevice } from "../../kernels/device.ts";
import { createGraph, output } from "../../kernels/graph.ts";
import { matmul } from "../../kernels/matmul.ts";
import { assertClose, filled, runOnce, testDevice } from "./harness.ts";

const device = await testDevice();

/** What `createDevice` reads of a device, with a promise of its loss that the test settles. */
function fakeGpu({ features = [] as string[], lost = new Promise<GPUDeviceLostInfo>(() => {}) } = {}) {
  const listeners: ((event: Event) => void)[] = [];
  const gpu = {
    features: new Set(features),
    lost,
    limits: device.gpu.limits,
    adapterInfo: { description: "Fake GPU", subgroupMinSize: 32, subgroupMaxSize: 32 },
    addEventListener: (_: string, listener: (event: Event) => void) => listeners.push(listener),
    destroy: () => {},
  } as unknown as GPUDevice;
  return { gpu, report: (message: string) => listeners.forEach((l) => l({ error: { message } } as never)) };
}

Deno.test("createDevice takes a device that someone else requested, and programs run on it", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const gpu = await adapter!.requestDevice();
  const given = await createDevice(gpu);
  assertEquals(given.gpu, gpu);
  assertEquals(given.subgroupSize, 0); // not requested
  assertEquals(given.description, device.description);
  const graph = createGraph(given);
  const a = filled(given, Float32Array.from([1, 2, 3, 4]), { shape: [2, 2] });
  output(graph, "squared", matmul(graph, a, a));
  const { squared } = await runOnce(graph);
  assertClose(squared!, [7, 10, 15, 22], { tolerance: 0, what: "squared" });
  given.destroy();
});

Deno.test("createDevice recognizes software adapters and the size of subgroups", async () => {
  const info = (parts: object) => parts as GPUAdapterInfo;
  const created = (parts: object) => createDevice(fakeGpu().gpu, { info: info(parts) });
  assert((await created({ description: "llvmpipe (LLVM 15)" })).software);
  assert((await created({ description: "SwiftShader Device" })).software);
  assert((await created({ description: "anything", isFallbackAdapter: true })).software);
  const gpu = await created({ description: "", vendor: "nvidia", architecture: "hopper" });
  assertEquals([gpu.software, gpu.description], [false, "nvidia hopper"]);
  assertEquals((await created({})).description, "unknown adapter");
});

Deno.test("createDevice finds how this device wants subgroups announced", () => {
  if (!device.gpu.features.has("subgroups" as GPUFeatureName)) return;
  assert(["", "enable subgroups;\n"].includes(device.subgroupPreamble));
});

Deno.test("a lost device is an error that says what happened and what to do", async () => {
  const { promise, resolve } = Promise.withResolvers<GPUDeviceLostInfo>();
  const given = await createDevice(fakeGpu({ lost: promise }).gpu);
  given.check();
  // Deno's types, and some of its versions, know no other reason.
  resolve({ reason: "destroyed", message: "the driver restarted" } as GPUDeviceLostInfo);
  await promise;
  assertThrows(
    () => given.check(),
    Error,
    'The GPU device "Fake GPU" was lost (the driver restarted). Its memory is gone: start again from the last ' +
      "checkpoint (--resume); if it happens again, use a smaller batch.",
  );
});

Deno.test("a device that was destroyed on purpose is no error", async () => {
  const { promise, resolve } = Promise.withResolvers<GPUDeviceLostInfo>();
  const given = await createDevice(fakeGpu({ lost: promise }).gpu);
  given.destroy();
  resolve({ reason: "destroyed", message: "" } as GPUDeviceLostInfo);
  await promise;
  given.check();
});

Deno.test("check throws the first error that the device reported, once", async () => {
  const { gpu, report } = fakeGpu();
  const given = await createDevice(gpu);
  report("the buffer is too small");
  report("a later one");
  assertThrows(() => given.check(), Error, "WebGPU reported: the buffer is too small");
  given.check();
});

Deno.test("check sees errors of this implementation's devices", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const given = await createDevice(await adapter!.requestDevice());
  const { STORAGE, MAP_READ } = GPUBufferUsage;
  given.gpu.createBuffer({ size: 16, usage: STORAGE | MAP_READ, label: "impossible" });
  await given.gpu.queue.onSubmittedWorkDone();
  assertThrows(() => given.check(), Error, "WebGPU reported: ");
  given.destroy();
});

Deno.test("requestDevice does without the features that turn out not to work", async () => {
  const tried: string[][] = [];
  const adapter = (works: (features: string[]) => boolean) => ({
    limits: device.gpu.limits,
    info: { description: "Picky GPU" },
    features: new Set(["timestamp-query"]),
    requestDevice({ requiredFeatures }: { requiredFeatures: string[] }) {
      tried.push(requiredFeatures);
      if (!works(requiredFeatures)) return Promise.reject(new TypeError("unsupported"));
      return Promise.resolve(fakeGpu({ features: requiredFeatures }).gpu);
    },
  } as unknown as GPUAdapter);
  const opened = await requestDevice(adapter((features) => !features.includes("subgroups")));
  assertEquals(tried, [["subgroups", "timestamp-query"], ["timestamp-query"]]);
  assertEquals([opened.subgroupSize, opened.halfPrecision], [0, false]);
  await assertRejects(
    () => requestDevice(adapter(() => false)),
    Error,
    'Cannot open the WebGPU device "Picky GPU": unsupported',
  );
});

Deno.test("requestDevice asks for the adapter's limits", async () => {
  const { limits } = (await navigator.gpu.requestAdapter())!;
  for (
    const name of ["maxStorageBufferBindingSize", "maxBufferSize", "maxStorageBuffersPerShaderStage"] as const
  ) {
    assertEquals(device.gpu.limits[name], limits[name], name);
  }
});

Deno.test("createStorage rounds up to 16 bytes and refuses more than a binding, in bytes", () => {
  assertEquals(createStorage(device, { size: 20, label: "small" }).size, 32);
  assertEquals(createStorage(device, { size: 0, label: "empty" }).size, 16);
  const limit = maximumBindingBytes(device);
  assertThrows(
    () => createStorage(device, { size: limit + 1, label: "embedding" }),
    RangeError,
    "embedding needs ",
  );
});
