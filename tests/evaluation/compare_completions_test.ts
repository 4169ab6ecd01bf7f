import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { ensureAdapter } from "../../cli/adapter.ts";
import { compareCompletions } from "../../evaluation/compare_completions.ts";
import { measureDivergences } from "../../evaluation/preferences.ts";
import { requestDevice } from "../../kernels/device.ts";
import { createParameters, layoutParameters, maximumSegmentBytes } from "../../kernels/parameters.ts";
import { modelParameters, parseModelConfig } from "../../models/families/mod.ts";
import { openModelDirectory } from "../../models/files/directory.ts";
import { uploadDirectory, uploadWeights } from "../../models/weights.ts";
import { assertAllWithin, fixturePath, readExpectation, readSafetensors } from "../fixtures/fixtures.ts";

/** What float32 on a GPU is allowed to differ by, in nats a completion; the fixtures' own README allows as much. */
const TOLERANCE = 5e-4;

/**
 * Σ KL(policy ‖ reference) along each sequence of `llama-gqa`: a forward pass written out in PyTorch 1.13, float64, whose
 * log-probs agree with the fixture's to 4e-15.
 */
const DIVERGENCES = [
  1.4812403468975313,
  3.4896892254603875,
  0.6503979159884484,
  1.3223286482534315,
  4.392668068673874,
  4.312850665195828,
];

async function setUp() {
  const device = await requestDevice(await ensureAdapter());
  using directory = await openModelDirectory(fixturePath("llama-gqa"));
  const config = parseModelConfig(directory.config, { name: "llama-gqa" });
  const parameters = modelParameters(config);
  const layout = layoutParameters(parameters, { maximumBytes: maximumSegmentBytes(device) });
  const policy = await createParameters(device, { layout, label: "policy" });
  const reference = await createParameters(device, { layout, label: "reference" });
  await uploadDirectory(device, policy, { directory, parameters });
  const tensors = await readSafetensors(`${fixturePath("llama-gqa")}/reference.safetensors`);
  await uploadWeights(device, reference, {
    parameters,
    read: (name, receive) => Promise.resolve(receive(0, tensors.get(name)!)),
  });
  return { device, config, policy, reference, [Symbol.dispose]: () => device.destroy() };
}

Deno.test("compareCompletions gives PyTorch's log-probs and divergences, whatever the batches", async () => {
  using models = await setUp();
  const { device, config, policy, reference } = models;
  const { batch, policy: expected, reference: other } = await readExpectation("llama-gqa");
  const groups = batch.sequences.map((ids, i) => ({
    prompt: ids.slice(0, batch.prompt_lengths[i]),
    completions: [ids.slice(batch.prompt_lengths[i])],
  }));
  for (const batchSize of [2, 8]) {
    const compared = await Array.fromAsync(
      compareCompletions(device, { config, policy, others: [reference, policy], groups, batchSize }),
    );
    const all = compared.flat();
    assertEquals(all.map(({ tokens }) => tokens), groups.map(({ completions }) => completions[0]!.length));
    const within = (values: number[], wanted: number[], what: string) =>
      assertAllWithin(values, wanted, { tolerance: TOLERANCE, what });
    within(all.map(({ logp }) => logp), expected.sequence_logps, "policy");
    within(all.map(({ others }) => others[0]!.logp), other.sequence_logps, "reference");
    within(all.map(({ others }) => others[0]!.divergence), DIVERGENCES, "divergence");
    assertEquals(all.map(({ others }) => others[1]!.divergence), DIVERGENCES.map(() => 0)); // from itself
    const measures = measureDivergences(compared, { others: ["reference", "itself"] });
    const sum = DIVERGENCES.reduce((total, value) => total + value);
    assertAlmostEquals(measures["kl/reference"]!.mean, sum / 6, TOLERANCE);
    const tokens = groups.reduce((total, { completions }) => total + completions[0]!.length, 0);
    assertAlmostEquals(measures["kl_per_token/reference"]!.mean, sum / tokens, TOLERANCE);
    assertEquals(measures["kl/itself"]!.mean, 0);
  }
});

Deno.test("compareCompletions refuses what the model can't read", async () => {
  using models = await setUp();
  const { device, config, policy } = models;
  const groups = [{ prompt: [1], completions: [Array(128).fill(5)] }]; // the model reads 128
  await assertRejects(
    () => Array.fromAsync(compareCompletions(device, { config, policy, others: [], groups, batchSize: 1 })),
    Error,
    "129 tokens together, but the model reads at most 128",
  );
});
