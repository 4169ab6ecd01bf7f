/** Profiled runs: the same bits, a table and a trace that agree, and errors where there is nothing to profile. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import type { TraceEvent, TraceFile } from "../../kernels/trace.ts";
import type { RunConfig } from "../../training/config.ts";
import { testDevice } from "../kernels/harness.ts";
import {
  assertSame,
  carryOut,
  type Changes,
  tinyConfig,
  tinyFiles,
  tinySftConfig,
  withoutRate,
} from "./tiny_run.ts";

const files = await tinyFiles();
const ignore = !(await testDevice()).gpu.features.has("timestamp-query");
let runs = 0;
const output = () => ({ directory: `${files.directory}/profiled${++runs}`, saveEvery: 0 });

const kinds: Record<string, (changes: Changes) => RunConfig> = {
  "DPO in micro-batches with a soft reference": (changes) =>
    tinyConfig(files, {
      ...changes,
      reference: { update: "soft", alpha: 0.6, every: 1, path: null },
      training: { ...changes.training, batchSize: 2, accumulate: 2 },
    }),
  "a loss over the whole step, on the host": (changes) =>
    tinyConfig(files, {
      ...changes,
      loss: [{ type: "kto_paired", weight: 1, beta: 0.1, detach: true }],
      training: { ...changes.training, batchSize: 2, accumulate: 2 },
    }),
  "fine-tuning": (changes) => tinySftConfig(files, changes),
};

for (const [kind, configure] of Object.entries(kinds)) {
  Deno.test({
    name: `${kind}: a profiled run trains the same weights, bit for bit`,
    ignore,
    async fn() {
      const plain = await carryOut(configure({ training: { steps: 6 }, output: output() }));
      const profiled = await carryOut(configure({ training: { steps: 6 }, output: output() }), {
        profile: true,
      });
      assertSame(profiled.weights, plain.weights, "weights");
      assertEquals(withoutRate(profiled.rows), withoutRate(plain.rows));
      assertEquals(profiled.events, plain.events.toSpliced(plain.events.indexOf("step") + 2, 0, "profile"));
      assertEquals(profiled.profile!.step, 3);
    },
  });
}

Deno.test({
  name: "the trace of a step holds what its table sums, and no events of a row overlap",
  ignore,
  async fn() {
    const { output: { trace: path }, profile } = await carryOut(
      tinyConfig(files, { training: { steps: 4 }, output: output() }),
      { profile: true },
    );
    const trace = JSON.parse(await Deno.readTextFile(path)) as TraceFile;
    assertEquals(trace, JSON.parse(JSON.stringify(profile!.trace)));
    const complete = trace.traceEvents.filter(({ ph }) => ph === "X") as Required<TraceEvent>[];
    for (const { name, ts, dur, pid, tid } of complete) {
      assert(name !== "" && [ts, dur, pid, tid].every((value) => Number.isFinite(value) && value >= 0));
    }
    const rows = Map.groupBy(complete, ({ tid }) => tid);
    assertEquals(rows.size, 2);
    for (const row of rows.values()) {
      // A trace viewer keeps microseconds; the last bits of sums of them are rounding.
      row.reduce((end, { ts, dur }) => (assert(ts >= end - 1e-6, `${ts} before ${end}`), ts + dur), 0);
    }
    const gpu = complete.filter(({ cat }) => cat === "kernel");
    for (const { program, label, launches, milliseconds } of profile!.kernels) {
      const own = gpu.filter(({ name, args }) => name === label && args.program === program);
      assertEquals(own.length, launches);
      assertAlmostEquals(own.reduce((sum, { dur }) => sum + dur, 0) / 1000, milliseconds, 1e-6);
    }
    assertEquals(gpu.length, profile!.kernels.reduce((sum, { launches }) => sum + launches, 0));
    const programs = new Set(profile!.kernels.map(({ program }) => program.split(" ")[0]));
    assertEquals([...programs].sort(), ["train", "update"]);
    assertEquals(new Set(profile!.host.keys()), new Set(["pack", "encode", "submit", "wait"]));
  },
});

Deno.test({
  name: "a run of one step is profiled in that step, and one that is over says so",
  ignore,
  async fn() {
    const config = tinyConfig(files, { training: { steps: 1 }, output: { ...output(), saveEvery: 1 } });
    const { profile } = await carryOut(config, { profile: true });
    assertEquals(profile!.step, 1);
    await assertRejects(
      () => carryOut(config, { profile: true, resume: true }),
      Error,
      "a profile needs a step to record, but all 1 steps of this run are done",
    );
  },
});
