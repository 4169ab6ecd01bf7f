import { assertMatch, assertRejects } from "@std/assert";
import { planRun } from "../../bench/run_memory.ts";
import { loadConfig } from "../../cli/config.ts";

const file = new URL("../../examples/hh.yaml", import.meta.url).pathname;
const load = (overrides: { key: string; value: string }[]) => loadConfig("train", { file, overrides });

Deno.test("planRun names what a run of a known architecture takes, either way of checkpointing", async () => {
  const path = { key: "model.path", value: "HuggingFaceTB/SmolLM2-135M-Instruct" };
  const plan = await planRun(await load([path]));
  // 134,515,008 parameters of 4 bytes, as the model's card has it.
  assertMatch(plan, /^HuggingFaceTB\/SmolLM2-135M-Instruct: [\d.]+ [GM]iB: .*policy 513\.\d MiB/);
  assertMatch(plan, /activations [\d.]+ GiB.*\(activations [\d.]+ [GM]iB with checkpointing: block\)$/);
});

Deno.test("planRun lists the architectures that it knows", async () => {
  const config = await load([{ key: "model.path", value: "nobody/knows" }]);
  await assertRejects(() => planRun(config), Error, "nobody/knows: known architectures are ");
});
