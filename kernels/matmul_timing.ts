/** Times the kernels that a device has for a matrix product. */
import { createStorage, type Device } from "./device.ts";
import { createGraph } from "./graph.ts";
import { matmul } from "./matmul.ts";
import { type MatmulVariant, possibleVariants, type ProductShape, variantName } from "./matmul_variants.ts";
import { profile } from "./profile.ts";
import { compile, type Program } from "./program.ts";
import { bytesOf, type DType, externalTensor, type Tensor } from "./tensor.ts";

/** How long a variant takes for a product. */
export interface VariantTime {
  /** The variant. */
  readonly variant: MatmulVariant;
  /** The least of several measurements, in milliseconds. */
  readonly milliseconds: number;
}

/** A measurement of a variant takes about so many milliseconds. */
const SAMPLE_MILLISECONDS = 20;
/** The most products in it. */
const MOST_REPEATS = 64;
/** Measurements of each variant that may be the fastest, in turns, so that a slow moment meets all of them. */
const ROUNDS = 5;
/** A variant so many times slower than the fastest at first sight isn't looked at again. */
const HOPELESS = 2;

/**
 * Times every variant of a product, with timestamp queries where the device has them.
 *
 * @returns Those that were not hopelessly slow, the fastest first.
 */
export async function timeVariants(device: Device, product: ProductShape): Promise<VariantTime[]> {
  const { a, b, result, destroy } = createOperands(device, product);
  const { transposeA, transposeB } = product;
  const program = async (variant: MatmulVariant, repeats: number) => {
    const graph = createGraph(device);
    for (let i = 0; i < repeats; i++) {
      matmul(graph, a, b, { transposeA, transposeB, variant, output: result });
    }
    const [program] = await compile(device, { graphs: [graph] });
    return program!;
  };
  try {
    const first = new Map<MatmulVariant, number>();
    const isHopeless = (time: number) => time > HOPELESS * Math.min(...first.values());
    const hopelessTiles = new Set<string>();
    for (const variant of possibleVariants(device, product)) {
      if ("tile" in variant && hopelessTiles.has(variant.tile)) continue;
      const once = await program(variant, 1);
      await once.run().read(); // drivers may compile only now
      const time = Math.min(await timeOf(device, once), await timeOf(device, once));
      first.set(variant, time);
      // Splitting helps by a few times at most.
      if ("tile" in variant && time > 8 * HOPELESS * Math.min(...first.values())) {
        hopelessTiles.add(variant.tile);
      }
    }
    const candidates = [];
    for (const [variant, time] of first) {
      if (isHopeless(time)) continue;
      const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.round(SAMPLE_MILLISECONDS / time)));
      candidates.push({ variant, repeats, program: await program(variant, repeats), best: Infinity });
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const candidate of candidates) {
        const time = await timeOf(device, candidate.program) / candidate.repeats;
        candidate.best = Math.min(candidate.best, time);
      }
    }
    return candidates.map(({ variant, best }) => ({ variant, milliseconds: best }))
      .sort((a, b) => a.milliseconds - b.milliseconds);
  } catch (cause) {
    throw new Error(`Timing a product of ${product.m}×${product.n}×${product.k} failed: ${cause}`, { cause });
  } finally {
    destroy();
  }
}

/** Milliseconds of a program's kernels, or of all of it where the device can't tell. */
async function timeOf(device: Device, program: Program): Promise<number> {
  if (device.gpu.features.has("timestamp-query")) {
    const times = await profile(device, program);
    return times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  }
  const start = performance.now();
  await program.run().read();
  return performance.now() - start;
}

function createOperands(device: Device, { batch, m, n, k, transposeA, transposeB, packedB }: ProductShape) {
  const buffers: GPUBuffer[] = [];
  const create = (label: string, sizes: readonly [number, number], dtype: DType = "f32"): Tensor => {
    const shape = batch === 1 ? sizes : [batch, ...sizes];
    const size = bytesOf({ shape, dtype });
    const buffer = createStorage(device, { size, label });
    buffers.push(buffer);
    // Small numbers of both kinds of storage; zeros, or numbers that fade, may take another time.
    const words = Uint32Array.from({ length: size >> 2 }, (_, i) => 0x3e003e00 + (i * 7919 % 128) * 0x10001);
    device.gpu.queue.writeBuffer(buffer, 0, words);
    return externalTensor(buffer, { shape, dtype });
  };
  return {
    a: create("a", transposeA ? [k, m] : [m, k]),
    b: create("b", transposeB ? [n, k] : [k, n], packedB ? "bf16" : "f32"),
    result: create("result", [m, n]),
    destroy: () => buffers.forEach((buffer) => buffer.destroy()),
  };
}

/** The fastest variant, unless the one that is taken anyway is as fast but for noise. */
export function fastest(
  times: readonly VariantTime[],
  { otherwise }: { otherwise: MatmulVariant },
): { best: MatmulVariant; gain: number } {
  const [first] = times;
  const taken = times.find(({ variant }) => variantName(variant) === variantName(otherwise));
  if (first === undefined) return { best: otherwise, gain: 1 };
  const gain = (taken?.milliseconds ?? Infinity) / first.milliseconds;
  return gain < WORTHWHILE ? { best: otherwise, gain: 1 } : { best: first.variant, gain };
}

/** A gain below this factor is noise. */
const WORTHWHILE = 1.05;
