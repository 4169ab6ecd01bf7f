/** Our matrix products against those of jax-js, tfjs and PyTorch, on the same operands, in the same rounds. */
import { createStorage } from "../kernels/device.ts";
import { createGraph, output, temporary } from "../kernels/graph.ts";
import { matmul } from "../kernels/matmul.ts";
import { compile } from "../kernels/program.ts";
import { externalTensor } from "../kernels/tensor.ts";
import type { Benchmark, Row, Table } from "./benchmark.ts";
import { openDevice } from "./environment.ts";
import { findPython, installJax, installTfjs } from "./peers/install.ts";
import { type PeerCommand, startPeer } from "./peers/process.ts";
import { operandValues, type ProductSize, sampleOf } from "./peers/product.ts";
import { type Contender, race, raceColumns } from "./peers/race.ts";

const products: Readonly<Record<string, ProductSize>> = {
  "1024³": { m: 1024, n: 1024, k: 1024 },
  "head, 256×288×32000": { m: 256, n: 32_000, k: 288 },
};

/** How far entries may lie apart: sums of a thousand products of at most a quarter, in another order. */
const TOLERANCE = 1e-3;

/** GFLOP/s and ratios to ours. */
export const peerProducts: Benchmark = {
  description: "Our matrix products against those of jax-js, tfjs (WebGPU and WASM) and PyTorch",
  flags: [],
  async *run({ rounds }) {
    const directory = await Deno.makeTempDir({ prefix: "peers-" });
    try {
      const peers = await findPeers(directory);
      for (const [name, size] of Object.entries(products)) yield await compare(name, { size, peers, rounds });
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
};

/** How to start the peers of this machine, by name, and why the others are missing. */
interface Peers {
  readonly found: Readonly<Record<string, (size: readonly string[]) => PeerCommand>>;
  readonly missing: readonly string[];
}

async function findPeers(directory: string): Promise<Peers> {
  const script = (name: string) => new URL(`peers/${name}`, import.meta.url).pathname;
  const found: Record<string, (size: readonly string[]) => PeerCommand> = {};
  const missing: string[] = [];
  const deno = [Deno.execPath(), "run", "-A", "--no-check"] as const;
  const [jax, tfjs, python] = [
    await installJax(directory),
    await installTfjs(directory),
    await findPython(),
  ];
  for (const backend of ["webgpu", "wasm"]) {
    if (!(jax instanceof Error)) {
      found[`jax-js ${backend}`] = (size) => ({
        command: [...deno, script("jax_product.ts"), backend, jax, ...size],
      });
    }
    if (tfjs === null) {
      const local = ["--no-config", "--no-lock", "--node-modules-dir=manual"];
      found[`tfjs ${backend}`] = (size) => ({
        command: [...deno, ...local, script("tfjs_product.ts"), backend, directory, ...size],
        directory,
      });
    }
  }
  if (jax instanceof Error) missing.push(`jax-js: ${jax.message}`);
  if (tfjs !== null) missing.push(`tfjs: ${tfjs.message}`);
  if (python === null) missing.push("PyTorch: no python3 with torch");
  else {
    const { command, environment, cuda } = python;
    for (const device of cuda ? ["cuda", "cpu"] : ["cpu"]) {
      found[`PyTorch ${device.toUpperCase()}`] = (size) => ({
        command: [command, script("torch_product.py"), device, ...size],
        environment,
      });
    }
  }
  return { found, missing };
}

async function compare(
  title: string,
  { size, peers, rounds }: { size: ProductSize; peers: Peers; rounds: number },
): Promise<Table> {
  const { m, n, k } = size;
  const contenders: Contender[] = [];
  const notes = peers.missing.map((reason) => `Not measured: ${reason}`);
  try {
    contenders.push(await startOurs(size));
    for (const [name, commandFor] of Object.entries(peers.found)) {
      try {
        contenders.push({ ...await startPeer(commandFor([m, n, k].map(String))), name });
      } catch (error) {
        notes.push(`Not measured: ${name}: ${(error as Error).message}`);
      }
    }
    const results = await race(contenders, { rounds, first: 1 });
    const rows = results.map((result): Row => ({
      contender: result.name,
      "GFLOP/s": 2 * m * n * k / result.timing.median / 1e6,
      ...raceColumns(result),
      "same work": result.distance <= TOLERANCE,
    }));
    return {
      title: `Product ${title}, float32, both operands in memory, neither transposed`,
      rows,
      notes: ["× ours: time over ours in the same round, median and range.", ...notes],
    };
  } finally {
    for (const { stop } of contenders) await stop();
  }
}

async function startOurs({ m, n, k }: ProductSize): Promise<Contender> {
  const device = await openDevice();
  const operand = (shape: [number, number]) => {
    const values = operandValues(shape[0] * shape[1]);
    const buffer = createStorage(device, { size: values.byteLength, label: "operand" });
    device.gpu.queue.writeBuffer(buffer, 0, values);
    return externalTensor(buffer, { shape });
  };
  const [a, b] = [operand([m, k]), operand([k, n])];
  const record = (read: boolean) => {
    const graph = createGraph(device);
    const product = matmul(graph, a, b, { output: temporary([m, n], "product") });
    if (read) output(graph, "product", product);
    return graph;
  };
  const [reading, computing] = await compile(device, { graphs: [record(true), record(false)] });
  const { product } = await reading!.run().read();
  const values = sampleOf(product!);
  return {
    name: "@tr/align",
    async repeat(count) {
      const start = performance.now();
      for (let i = 1; i < count; i++) computing!.run();
      await computing!.run().read();
      return { milliseconds: (performance.now() - start) / count, values };
    },
    stop: () => device.destroy(),
  };
}
