/**
 * DPO steps in jax-js, driven by lines on standard input as `torch_step.py` is.
 *
 *     deno run -A jax_step.ts DIRECTORY webgpu|wasm MODULE
 *
 * DIRECTORY is what `case_files.ts` wrote, MODULE the path of the installed package.
 */
import type { CaseFile } from "./case_files.ts";
import { createConstants, createModel } from "./jax_model.ts";
import type { Jax, JaxTree } from "./jax_types.ts";
import { serve } from "./serve.ts";

if (import.meta.main) {
  const [directory, backend, module] = Deno.args as [string, string, string];
  if (backend === "webgpu") inlineAtomicAdd();
  const jax = await import(module) as Jax;
  if (!(await jax.init(backend)).includes(backend)) throw new Error(`jax-js has no backend ${backend} here`);
  jax.defaultDevice(backend);
  const step = await prepare(jax, directory);
  await serve(`jax-js ${backend}`, {
    async repeat(count) {
      const losses: number[] = [];
      for (let i = 0; i < count; i++) losses.push(await step());
      return losses;
    },
  });
  Deno.exit();
}

async function prepare(jax: Jax, directory: string): Promise<() => Promise<number>> {
  const { numpy: np, tree } = jax;
  const file = JSON.parse(await Deno.readTextFile(`${directory}/case.json`)) as CaseFile;
  const { optimizer: { betas: [beta1, beta2] }, tensors } = file;
  const constants = createConstants(jax, file);
  const model = createModel(jax, file);
  const logProbs = jax.jit(model.sequenceLogProbs);
  const valueAndGradient = jax.jit(jax.valueAndGrad(model.loss));
  const update = jax.jit(model.update);
  const zeros = (): JaxTree => Object.fromEntries(tensors.map(({ name, shape }) => [name, np.zeros(shape)]));
  const reference = await readTensors(jax, file, `${directory}/reference.bin`);
  let state: [JaxTree, JaxTree, JaxTree] = [
    await readTensors(jax, file, `${directory}/policy.bin`),
    zeros(),
    zeros(),
  ];
  let steps = 0;
  return async () => {
    steps++;
    const against = logProbs(tree.ref(reference), tree.ref(constants));
    const [loss, gradients] = valueAndGradient(tree.ref(state[0]), against, tree.ref(constants));
    const corrections = np.array([1 / (1 - beta1 ** steps), 1 / (1 - beta2 ** steps)], { shape: [2] });
    state = update(state, gradients, corrections);
    await jax.blockUntilReady(state);
    return (await loss.data())[0]!;
  };
}

async function readTensors({ numpy: np }: Jax, { tensors }: CaseFile, path: string): Promise<JaxTree> {
  const { buffer } = await Deno.readFile(path);
  let offset = 0;
  return Object.fromEntries(tensors.map(({ name, shape }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = new Float32Array(buffer, offset, count);
    offset += values.byteLength;
    return [name, np.array(values, { shape, dtype: np.float32 })];
  }));
}

/**
 * jax-js adds gradients of gathers in a WGSL function that takes a pointer to storage, which Deno's compiler refuses:
 * puts its body where it is called. Without this the step doesn't run.
 */
function inlineAtomicAdd(): void {
  const original = GPUDevice.prototype.createShaderModule;
  const inlined = `var old = atomicLoad(&output[output_index]);
  loop {
    let sum = bitcast<u32>(bitcast<f32>(old) + updates[global]);
    let swap = atomicCompareExchangeWeak(&output[output_index], old, sum);
    if (swap.exchanged) { break; }
    old = swap.old_value;
  }`;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const code = descriptor.code
      .replace(/fn atomic_add_f32\([^]*?\n}\n/, "")
      .replace("atomic_add_f32(&output[output_index], updates[global]);", inlined);
    return original.call(this, { ...descriptor, code });
  };
}
