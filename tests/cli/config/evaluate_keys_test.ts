import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig, stringifyConfig } from "../../../cli/config.ts";
import { UserError } from "../../../cli/errors.ts";

const BASE = "model: { path: m }\noutput: { file: o.json }\n";

const read = (yaml: string) => parseConfig("evaluate", { yaml: BASE + yaml });

/** The problems of a configuration, without the line numbers that follow them. */
function problems(yaml: string): string[] {
  const { message } = assertThrows(() => read(yaml), UserError);
  const lines = message.startsWith("configuration: ") && !/^configuration: \d+ problems/.test(message)
    ? [message.replace("configuration: ", "")]
    : message.split("\n").slice(1).map((line) => line.trim());
  return lines.map((line) => line.replace(/ \(line \d+\)$/, ""));
}

Deno.test("parseConfig fills in evaluate's defaults, and leaves out what isn't asked for", () => {
  const config = read("data: { records: a.jsonl }\n");
  assertEquals(Object.keys(config).sort(), [
    "batchSize",
    "beta",
    "bootstrap",
    "data",
    "memoryLimit",
    "model",
    "output",
  ]);
  assertEquals(config.bootstrap, { confidence: 0.95, resamples: 10_000, seed: 0 });
  assertEquals([config.beta, config.data.records, config.data.prompts], [1, ["a.jsonl"], null]);
  const judged = read("data: { prompts: p.jsonl }\nopponent: { path: n }\njudge: { model: j }\n");
  assertEquals(judged.judge, {
    model: "j",
    keyEnv: "OPENAI_API_KEY",
    prompt: null,
    maxTokens: 512,
    concurrency: 4,
    requestsPerMinute: null,
    timeout: 120,
  });
  assertEquals(judged.opponent, { path: "n", adapter: null, answers: null });
});

Deno.test("parseConfig reads what stringifyConfig wrote of evaluate", () => {
  const config = read(
    "data: { records: a.jsonl, prompts: records }\ngeneration: { samples: 3 }\ngold: { module: g.ts }\n",
  );
  assertEquals(parseConfig("evaluate", { yaml: stringifyConfig(config) }), config);
});

const ONE_PROBLEM: [string, string][] = [
  ["", "data.records: is missing: give records to measure on, or data.prompts to answer, or both"],
  ["data: { prompts: records }\n", "data.prompts: records are wanted, but data.records gives none"],
  ["data: { records: a, prompts_limit: 3 }\n", "data.prompts_limit: would be ignored without data.prompts"],
  ["data: { prompts: a, records_limit: 3 }\n", "data.records_limit: would be ignored without data.records"],
  ["data: { prompts: a }\nopponent: { adapter: b }\n", "opponent: give opponent.path or opponent.answers"],
  [
    "data: { prompts: a }\nopponent: { path: b, answers: c }\n",
    "opponent: opponent.answers would be ignored beside opponent.path; give one of the two",
  ],
  [
    "data: { prompts: a }\nopponent: { answers: c, adapter: d }\n",
    "opponent: opponent.adapter would be ignored without opponent.path",
  ],
  ["data: { prompts: a }\njudge: { model: j }\n", "judge: compares two answers; give an opponent"],
  [
    "data: { prompts: a }\nreward_model: { path: r, tie: 0.1 }\n",
    "reward_model.tie: would be ignored without an opponent",
  ],
  [
    "data: { prompts: a }\ngeneration: { temperature: 0, top_k: 5 }\n",
    "generation: temperature 0 takes the likeliest token and would ignore top_k and top_p; leave those out",
  ],
  [
    "data: { prompts: a }\ngeneration: { temperature: 0, samples: 2 }\n",
    "generation: temperature 0 would give the same answer 2 times; set samples to 1",
  ],
  ["data: { records: a, promts: b }\n", "data.promts: unknown key; did you mean data.prompts?"],
  [
    "data: { prompts: a }\nopponent: { path: b }\njudge: { model: j, key: sk-1 }\n",
    "judge.key: no key of this command; a key in a file is soon published; put it into the environment, and the variable's " +
    "name into judge.key_env",
  ],
  [
    "data: { prompts: a }\ngold: { export: f }\n",
    "gold.module: is missing: Path of a TypeScript or JavaScript module that " +
    "exports a function (prompt, completion) => number",
  ],
];

for (const [yaml, problem] of ONE_PROBLEM) {
  Deno.test(`parseConfig says of evaluate: ${problem}`, () => assertEquals(problems(yaml), [problem]));
}

Deno.test("parseConfig refuses what is of use for answers alone where nothing is asked", () => {
  const sections =
    "generation: { samples: 2 }\nopponent: { path: o }\ngold: { module: g }\nreward_model: { path: r }\njudge: { model: j }\n";
  const said = problems(`data: { records: a }\n${sections}`);
  for (const name of ["generation", "opponent", "gold", "reward_model", "judge"]) {
    const message = `${name}: would be ignored without data.prompts, whose answers it is for`;
    assertEquals(said.includes(message), true, `${message} is not among\n${said.join("\n")}`);
  }
});
