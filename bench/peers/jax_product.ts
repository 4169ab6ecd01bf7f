/**
 * Products in jax-js.
 *
 *     deno run -A jax_product.ts webgpu|wasm MODULE M N K
 *
 * @module
 */
import type { Jax, JaxArray } from "./jax_types.ts";
import { operandValues, parseSize, sampleOf } from "./product.ts";
import { serve } from "./serve.ts";

if (import.meta.main) {
  const [backend, module, ...size] = Deno.args as [string, string, ...string[]];
  const { m, n, k } = parseSize(size);
  const jax = await import(module) as Jax;
  if (!(await jax.init(backend)).includes(backend)) throw new Error(`jax-js has no backend ${backend} here`);
  jax.defaultDevice(backend);
  const { numpy: np } = jax;
  const a = np.array(operandValues(m * k), { shape: [m, k] });
  const b = np.array(operandValues(k * n), { shape: [k, n] });
  await jax.blockUntilReady([a, b]);
  const product = jax.jit((a: JaxArray, b: JaxArray) => np.matmul(a, b));
  const sample = sampleOf(await product(a.ref, b.ref).data());
  await serve(`jax-js ${backend}`, {
    async repeat(count) {
      const products = Array.from({ length: count }, () => product(a.ref, b.ref));
      await jax.blockUntilReady(products);
      for (const result of products) result.dispose();
      return sample;
    },
  });
  Deno.exit();
}
