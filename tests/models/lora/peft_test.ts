import { assertEquals, assertThrows } from "@std/assert";
import { parseAdapterConfig } from "../../../models/lora/peft.ts";
import { fixturePath } from "../../fixtures/fixtures.ts";

const json = JSON.parse(await Deno.readTextFile(`${fixturePath("lora-llama-gqa")}/adapter_config.json`));
const parse = (changes: Record<string, unknown> = {}) =>
  parseAdapterConfig({ ...json, ...changes }, { name: "a.json" });

Deno.test("parseAdapterConfig reads what PEFT writes", () => {
  assertEquals(parse(), {
    rank: 4,
    alpha: 8,
    targets: ["q_proj", "v_proj"],
    rsLora: false,
    rankPattern: {},
    alphaPattern: {},
  });
  const more = {
    use_rslora: true,
    exclude_modules: ["o_proj"],
    layers_to_transform: 3,
    rank_pattern: { v_proj: 2 },
  };
  const { rsLora, exclude, layers, rankPattern } = parse(more);
  assertEquals({ rsLora, exclude, layers, rankPattern }, {
    rsLora: true,
    exclude: ["o_proj"],
    layers: [3],
    rankPattern: { v_proj: 2 },
  });
  assertEquals(parse({ lora_dropout: 0.05 }).rank, 4); // dropout is for training with it
});

Deno.test("parseAdapterConfig refuses what would compute something else, by key", () => {
  const refused: [Record<string, unknown>, string][] = [
    [{ peft_type: "IA3" }, 'a.json: peft_type is "IA3"; give "LORA"'],
    [{ use_dora: true }, "a.json: use_dora is true, which is not supported; only false is"],
    [{ bias: "all" }, 'a.json: bias is "all", which is not supported; only "none" is'],
    [{ modules_to_save: ["lm_head"] }, 'a.json: modules_to_save is ["lm_head"], which is not supported'],
    [{ fan_in_fan_out: "no" }, 'a.json: fan_in_fan_out is "no"'],
    [{ target_modules: null }, "a.json: target_modules is null; give names of layers"],
    [{ r: 0 }, "a.json: r is 0; give a positive integer"],
    [{ rank_pattern: { q_proj: "8" } }, "a.json: rank_pattern is"],
    [{ layers_to_transform: ["first"] }, "a.json: layers_to_transform is"],
  ];
  for (const [changes, message] of refused) assertThrows(() => parse(changes), Error, message);
  assertEquals(parse({ modules_to_save: [] }).rank, 4);
});
