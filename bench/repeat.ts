/** Timing launches that are repeated within one submit, so that the host's part and the wait for the device count little. */
import type { Device } from "../kernels/device.ts";
import { createGraph, type Graph } from "../kernels/graph.ts";
import { compile } from "../kernels/program.ts";

/** Launches of a submit at most: recording and encoding more takes long itself. */
const MOST_REPEATS = 2000;

/** How often work that takes `once` milliseconds is repeated for a sample of about `sample` milliseconds. */
export function repeatsFor(once: number, sample: number): number {
  return Math.max(1, Math.min(MOST_REPEATS, Math.round(sample / once)));
}

/**
 * A function that runs what `record` records, `repeats` times in one submit, and resolves to milliseconds for once.
 */
export async function compileRepeated(
  device: Device,
  { record, repeats }: { record: (graph: Graph) => void; repeats: number },
): Promise<() => Promise<number>> {
  const graph = createGraph(device);
  for (let i = 0; i < repeats; i++) record(graph);
  const [program] = await compile(device, { graphs: [graph] });
  return async () => {
    const start = performance.now();
    await program!.run().read();
    return (performance.now() - start) / repeats;
  };
}

/** The same with as many repeats as make a sample of about `sample` milliseconds, after two runs to warm up. */
export async function compileSample(
  device: Device,
  { record, sample }: { record: (graph: Graph) => void; sample: number },
): Promise<() => Promise<number>> {
  const run = await compileRepeated(device, { record, repeats: 1 });
  await run();
  // A single launch takes less than the wait for it, which would count as its time.
  const few = await compileRepeated(device, { record, repeats: repeatsFor(await run(), sample / 10) });
  return await compileRepeated(device, { record, repeats: repeatsFor(await few(), sample) });
}
