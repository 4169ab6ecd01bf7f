import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describeBenchmarks, readArguments } from "../../bench/arguments.ts";
import type { Benchmark } from "../../bench/benchmark.ts";
import { UserError } from "../../cli/errors.ts";

const benchmark = (rest: Partial<Benchmark>): Benchmark => ({
  description: "measures something",
  flags: [],
  async *run() {},
  ...rest,
});
const benchmarks = {
  plain: benchmark({}),
  step: benchmark({ flags: ["cases", "profile"], cases: ["S", "M"] }),
  lora: benchmark({ flags: ["cases"], cases: ["M", "L"] }),
};
const read = (...args: string[]) => readArguments(args, benchmarks);

Deno.test("readArguments runs everything without names, and by default takes what each benchmark takes", () => {
  assertEquals(read(), {
    names: ["plain", "step", "lora"],
    options: { rounds: 7, cases: null, profile: false },
    file: undefined,
  });
});

Deno.test("readArguments takes names, rounds, cases, profile and a file", () => {
  assertEquals(read("lora", "step", "--rounds", "3", "--cases=M,L", "--profile", "--json", "out.json"), {
    names: ["lora", "step"],
    options: { rounds: 3, cases: ["M", "L"], profile: true },
    file: "out.json",
  });
});

Deno.test("readArguments refuses what means nothing", () => {
  const refusals: [string[], string][] = [
    [["stp"], 'There is no benchmark "stp". There are plain, step, lora'],
    [["step", "--cases", "L"], 'there is no case "L"; the cases are S, M'],
    [["plain", "--cases", "S"], "--cases means nothing to plain"],
    [["lora", "--profile"], "--profile means nothing to lora"],
    [["--rounds", "0"], "--rounds must be a positive integer, got 0"],
    [["--rounds", "many"], "--rounds must be a positive integer, got many"],
    [["--round", "3"], "Unknown flag --round"],
  ];
  for (const [args, message] of refusals) assertThrows(() => read(...args), UserError, message);
});

Deno.test("describeBenchmarks lists every benchmark with its cases", () => {
  const text = describeBenchmarks(benchmarks);
  for (const name of Object.keys(benchmarks)) assertStringIncludes(text, `\n  ${name}`);
  assertStringIncludes(text, "--cases S,M");
});
