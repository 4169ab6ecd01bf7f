import { assertEquals, assertThrows } from "@std/assert";
import type { Command } from "../../cli/config.ts";
import { UserError } from "../../cli/errors.ts";
import { parseFlags } from "../../cli/flags.ts";

const SWITCHES = ["dry-run", "resume", "overwrite"] as const;

function parse(...args: string[]) {
  return parseFlags(args, { command: "train", switches: SWITCHES });
}

function problems(args: string[], command: Command = "train"): string[] {
  const { message } = assertThrows(() => parseFlags(args, { command, switches: SWITCHES }), UserError);
  return message.split("\n");
}

Deno.test("parseFlags separates file, keys and switches", () => {
  assertEquals(parse("run.yaml", "--loss.beta", "0.05", "--dry-run", "--model.path=./model"), {
    file: "run.yaml",
    overrides: [{ key: "loss.beta", value: "0.05" }, { key: "model.path", value: "./model" }],
    switches: { "dry-run": true, resume: false, overwrite: false, help: false },
  });
});

Deno.test("parseFlags of nothing is nothing", () => {
  const switches = { "dry-run": false, resume: false, overwrite: false, help: false };
  assertEquals(parse(), { file: null, overrides: [], switches });
});

Deno.test("parseFlags keeps values as they were typed", () => {
  const typed = ["1e-6", "007", "true", "null", "a=b", "[a.jsonl, b.jsonl]", "Say: hello"];
  for (const value of typed) {
    assertEquals(parse("--data.eval", value).overrides, [{ key: "data.eval", value }]);
    assertEquals(parse(`--data.eval=${value}`).overrides, [{ key: "data.eval", value }]);
  }
  assertEquals(parse("--loss.beta=-1").overrides, [{ key: "loss.beta", value: "-1" }]);
  assertEquals(parse("2024").file, "2024");
});

Deno.test("parseFlags takes a switch's neighbour for the file", () => {
  const { file, switches } = parse("--dry-run", "run.yaml", "--overwrite");
  assertEquals([file, switches["dry-run"], switches.overwrite], ["run.yaml", true, true]);
});

Deno.test("parseFlags keeps repeated keys and bare keys", () => {
  assertEquals(parse("--data.train", "a", "--data.train", "b", "--data.shuffle").overrides, [
    { key: "data.train", value: "a" },
    { key: "data.train", value: "b" },
    { key: "data.shuffle", value: true },
  ]);
});

Deno.test("parseFlags knows sections and entries of lists", () => {
  const { overrides } = parse("--reference", "{ update: frozen }", "--loss.1.weight", "0.1");
  assertEquals(overrides.map(({ key }) => key), ["reference", "loss.1.weight"]);
});

Deno.test("parseFlags names the nearest key or switch", () => {
  assertEquals(
    problems(["--trainin.steps", "4", "--dry-rnu", "--steps=4", "--training.batch-size", "2", "--qqqqq"]),
    [
      "--trainin.steps: unknown key; did you mean --training.steps?",
      "--dry-rnu: unknown key; did you mean --dry-run?",
      "--steps: unknown key; did you mean --training.steps?",
      "--training.batch-size: unknown key; did you mean --training.batch_size?",
      "--qqqqq: unknown key",
    ],
  );
  assertEquals(problems(["--training.0.steps.1", "3"]), [
    "--training.0.steps.1: unknown key; did you mean --training.steps?",
  ]);
});

Deno.test("parseFlags knows the keys of each command", () => {
  assertEquals(problems(["--loss.beta", "1"], "sft"), [
    "--loss.beta: no key of this command; sft has one loss, the cross-entropy of the completion; " +
    "other losses are for train",
  ]);
  assertEquals(parseFlags(["--prompt", "Hi"], { command: "generate", switches: [] }).overrides, [
    { key: "prompt", value: "Hi" },
  ]);
});

Deno.test("parseFlags refuses a second file, values of switches and short flags", () => {
  assertEquals(problems(["a.yaml", "b.yaml", "--resume=checkpoints/step-100", "-x"]), [
    "-x: unknown flag; -h is the only one with a single dash",
    "--resume: takes no value",
    "b.yaml: unexpected; the configuration is one file, and that is a.yaml",
  ]);
});

Deno.test("parseFlags says how to write a negative value", () => {
  assertEquals(problems(["--loss.beta", "-1"]), [
    '-1: unexpected; a negative value is written with "=", as in --key=-1',
  ]);
  assertEquals(problems(["--loss.beta", "-0.25"]), [
    '-0.25: unexpected; a negative value is written with "=", as in --key=-0.25',
  ]);
});

Deno.test("parseFlags lets help through whatever else there is", () => {
  assertEquals(parse("-h").switches.help, true);
  assertEquals(parse("--help", "--nonsense", "a", "b").switches.help, true);
});
