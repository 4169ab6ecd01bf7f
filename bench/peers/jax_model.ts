/** Llama's completion log-probs, DPO and AdamW in jax-js. */
import type { CaseFile } from "./case_files.ts";
import type { Jax, JaxArray, JaxTree } from "./jax_types.ts";

/** Arrays that don't change from step to step. */
export type Constants = Record<
  "tokens" | "cosines" | "sines" | "future" | "slots" | "targets" | "ones",
  JaxArray
>;

/** The batch as arrays on the device. */
export function createConstants({ numpy: np }: Jax, file: CaseFile): Constants {
  const { pairs, length, prompt, tokens, model: { headSize, ropeTheta } } = file;
  const completion = length - prompt;
  const slots = 2 * pairs * completion;
  const half = headSize / 2;
  const angle = (i: number) => Math.floor(i / half) * ropeTheta ** (-2 * (i % half) / headSize);
  const table = (of: (angle: number) => number) =>
    np.array(Float32Array.from({ length: length * half }, (_, i) => of(angle(i))), {
      shape: [length, 1, half],
    });
  const indices = (count: number, of: (i: number) => number) =>
    np.array(Int32Array.from({ length: count }, (_, i) => of(i)), { shape: [count], dtype: np.int32 });
  const target = (i: number) => tokens[Math.floor(i / completion) * length + prompt + i % completion]!;
  return {
    tokens: np.array(Int32Array.from(tokens), { shape: [2 * pairs, length], dtype: np.int32 }),
    cosines: table(Math.cos),
    sines: table(Math.sin),
    future: np.array(
      Float32Array.from({ length: length ** 2 }, (_, i) => i % length > Math.floor(i / length) ? -1e9 : 0),
      { shape: [length, length] },
    ),
    slots: indices(slots, (i) => i),
    targets: indices(slots, target),
    ones: np.array(new Float32Array(slots).fill(1), { shape: [slots] }),
  };
}

/** Functions of the step; all consume their arguments. */
export function createModel({ numpy: np, nn, tree }: Jax, file: CaseFile) {
  const { pairs, length, prompt, model, beta, optimizer } = file;
  const { heads, keyValueHeads, headSize, layers, normEpsilon } = model;
  const sequences = 2 * pairs;
  const half = headSize / 2;

  const linear = (x: JaxArray, weight: JaxArray) => np.matmul(x, weight.transpose());
  const norm = (x: JaxArray, weight: JaxArray) => {
    const square = np.square(x.ref).mean(-1, { keepdims: true }).add(normEpsilon);
    return x.div(np.sqrt(square)).mul(weight);
  };
  const rotate = (x: JaxArray, { cosines, sines }: Constants) => {
    const a = x.ref.slice([], [], [], [0, half]);
    const b = x.slice([], [], [], [half, headSize]);
    const first = a.ref.mul(cosines.ref).sub(b.ref.mul(sines.ref));
    return np.concatenate([first, b.mul(cosines.ref).add(a.mul(sines.ref))], 3);
  };

  /** [sequences], summed log-probs of the completions. */
  const sequenceLogProbs = (weights: JaxTree, constants: Constants): JaxArray => {
    const embedding = weights["model.embed_tokens.weight"]!;
    let x = np.take(embedding.ref, constants.tokens, 0); // [sequences, length, C]
    for (let n = 0; n < layers; n++) {
      const layer = (name: string) => weights[`model.layers.${n}.${name}.weight`]!;
      const project = (normed: JaxArray, name: string, count: number) =>
        linear(normed, layer(`self_attn.${name}`)).reshape([sequences, length, count, headSize]);
      const normed = norm(x.ref, layer("input_layernorm"));
      const q = rotate(project(normed.ref, "q_proj", heads), constants);
      const k = rotate(project(normed.ref, "k_proj", keyValueHeads), constants);
      const v = project(normed, "v_proj", keyValueHeads);
      const grouped = q.reshape([sequences, length, keyValueHeads, heads / keyValueHeads, headSize]);
      const scores = np.einsum("btkgd,bskd->bkgts", grouped, k).mul(1 / Math.sqrt(headSize));
      const shares = nn.softmax(scores.add(constants.future.ref), -1);
      const attended = np.einsum("bkgts,bskd->btkgd", shares, v).reshape([
        sequences,
        length,
        heads * headSize,
      ]);
      x = x.add(linear(attended, layer("self_attn.o_proj")));
      const fed = norm(x.ref, layer("post_attention_layernorm"));
      const gate = nn.silu(linear(fed.ref, layer("mlp.gate_proj")));
      x = x.add(linear(gate.mul(linear(fed, layer("mlp.up_proj"))), layer("mlp.down_proj")));
    }
    const predicting = x.slice([], [prompt - 1, length - 1], []);
    const logits = linear(norm(predicting, weights["model.norm.weight"]!), embedding);
    const logProbs = nn.logSoftmax(logits.reshape([sequences * (length - prompt), model.vocabularySize]), -1);
    // Under jit the gradient of a gather may not be a mere view, which that of a sum is: hence the product with ones.
    const ofTargets = logProbs.slice(constants.slots, constants.targets).mul(constants.ones);
    for (const name of ["cosines", "sines", "future"] as const) constants[name].dispose();
    return ofTargets.reshape([sequences, length - prompt]).sum(1);
  };

  const loss = (weights: JaxTree, reference: JaxArray, constants: Constants): JaxArray => {
    const logRatios = sequenceLogProbs(weights, constants).sub(reference);
    const margins = logRatios.ref.slice([0, pairs]).sub(logRatios.slice([pairs, sequences]));
    return nn.logSigmoid(margins.mul(beta)).neg().mean();
  };

  /** AdamW over all weights; `corrections` are 1 / (1 − β₁ᵗ) and 1 / (1 − β₂ᵗ). Returns weights and both moments. */
  const update = (
    state: readonly [JaxTree, JaxTree, JaxTree],
    gradients: JaxTree,
    corrections: JaxArray,
  ): [JaxTree, JaxTree, JaxTree] => {
    const { learningRate, betas: [beta1, beta2], epsilon, weightDecay } = optimizer;
    const next: [JaxTree, JaxTree, JaxTree] = [{}, {}, {}];
    const [correction1, correction2] = [corrections.ref.slice(0), corrections.slice(1)];
    for (const { name, shape } of file.tensors) {
      const [weight, first, second] = state.map((values) => values[name]!) as [JaxArray, JaxArray, JaxArray];
      const gradient = gradients[name]!;
      const m = first.mul(beta1).add(gradient.ref.mul(1 - beta1));
      const v = second.mul(beta2).add(np.square(gradient).mul(1 - beta2));
      const root = np.sqrt(v.ref.mul(correction2.ref)).add(epsilon);
      const change = m.ref.mul(correction1.ref).div(root).mul(learningRate);
      const kept = shape.length > 1 ? weight.mul(1 - learningRate * weightDecay) : weight;
      [next[0][name], next[1][name], next[2][name]] = [kept.sub(change), m, v];
    }
    tree.dispose([correction1, correction2]);
    return next;
  };
  return { sequenceLogProbs, loss, update };
}
