/** `--profile` of the commands that train. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describeProfile } from "../../cli/profile_table.ts";
import type { StepProfile } from "../../training/step_profile.ts";
import { testDevice } from "../kernels/harness.ts";
import { createWorkspace, trainFlags } from "./workspace.ts";

const canMeasure = (await testDevice()).gpu.features.has("timestamp-query");

Deno.test("train --profile prints a table and writes a trace, or says why the device can't be profiled", async () => {
  await using workspace = await createWorkspace();
  const flags = trainFlags({ "training.steps": 4, "output.directory": "out", "output.samples": 0 });
  const { code, stdout, stderr } = await workspace.run("train", [...flags, "--profile"]);
  if (!canMeasure) {
    assertEquals(code, 1);
    assertStringIncludes(stderr, "without the feature timestamp-query");
    return;
  }
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "\nProfile of step 3, ");
  assertMatch(stdout, /\nmatmul NT \S.* train \d+×\d+ .* GFLOP\/s\n/);
  assertMatch(stdout, /\nadamw .* update .* GB\/s\n/);
  assertStringIncludes(stdout, "\nTrace: out/trace.json\n");
  const { traceEvents } = JSON.parse(await workspace.read("out/trace.json"));
  assert(traceEvents.length > 50);
});

Deno.test("--profile beside --dry-run is refused, and nothing is written", async () => {
  await using workspace = await createWorkspace();
  const { code, stderr } = await workspace.run("sft", [
    ...trainFlags({ "data.train": "demonstrations.jsonl", "output.directory": "out" }),
    "--profile",
    "--dry-run",
  ]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "--profile would be ignored beside --dry-run");
  assertEquals(await workspace.list("out"), []);
});

Deno.test("describeProfile gives shares of the sum, and operations before bytes", () => {
  const time = { launches: 2, program: "train", bytes: 3e6 };
  const text = describeProfile({
    step: 3,
    kernels: [
      { ...time, label: "matmul NN", milliseconds: 6, flops: 12e6 },
      { ...time, label: "norm", milliseconds: 2, flops: null },
    ],
    host: new Map([["wait", 7], ["pack", 0.25]]),
    duration: 10,
  } as unknown as StepProfile);
  // By hand: 12e6 operations in 6 ms are 2 GFLOP/s, 3e6 bytes in 2 ms 1.5 GB/s.
  assertEquals(text.split("\n").slice(1), [
    "kernel     program  launches    ms   share       rate",
    "matmul NN  train           2  6.00  75.0 %  2 GFLOP/s",
    "norm       train           2  2.00  25.0 %   1.5 GB/s",
    "all                        4  8.00",
    "Of the 10.0 ms of the step the host took: wait 7.0 ms, pack 0.3 ms.",
  ]);
});
