/**
 * Products in tfjs.
 *
 *     deno run -A --no-config --node-modules-dir=manual tfjs_product.ts webgpu|wasm DIRECTORY M N K
 *
 * Run in DIRECTORY, where its packages are installed: they are CommonJS and find each other from there.
 *
 * @module
 */
import { operandValues, parseSize, sampleOf } from "./product.ts";
import { serve } from "./serve.ts";

/** The part of tfjs that a product uses. */
interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(values: Float32Array, shape: readonly number[]): TfjsTensor;
  matMul(a: TfjsTensor, b: TfjsTensor): TfjsTensor;
  backend(): TfjsWebGpu;
  readonly version_core: string;
}

interface TfjsTensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** Its WebGPU backend, which submits by itself only once many commands have come together. */
interface TfjsWebGpu {
  readonly device: GPUDevice;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

if (import.meta.main) {
  const [backend, directory, ...size] = Deno.args as [string, string, ...string[]];
  const { m, n, k } = parseSize(size);
  // tfjs looks for a window or a worker before it believes that there is WebGPU.
  Reflect.set(globalThis, "WorkerGlobalScope", class {});
  const load = async (name: string, file: string) => {
    const module = await import(`file://${directory}/node_modules/@tensorflow/${name}/dist/${file}`);
    return module.default ?? module;
  };
  const tf = await load("tfjs-core", "tf-core.node.js") as Tfjs;
  const extension = await load(`tfjs-backend-${backend}`, `tf-backend-${backend}.node.js`);
  extension.setWasmPaths?.(`${directory}/node_modules/@tensorflow/tfjs-backend-wasm/dist/`);
  if (!await tf.setBackend(backend)) throw new Error(`tfjs has no backend ${backend} here`);
  await tf.ready();
  const a = tf.tensor(operandValues(m * k), [m, k]);
  const b = tf.tensor(operandValues(k * n), [k, n]);
  const first = tf.matMul(a, b);
  const sample = sampleOf(await first.data());
  first.dispose();
  await serve(`tfjs ${tf.version_core} ${backend}`, {
    async repeat(count) {
      const products = Array.from({ length: count }, () => tf.matMul(a, b));
      if (backend === "webgpu") await finish(tf.backend());
      for (const result of products) result.dispose();
      return sample;
    },
  });
  Deno.exit();
}

async function finish(backend: TfjsWebGpu): Promise<void> {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
  await backend.device.queue.onSubmittedWorkDone();
}
