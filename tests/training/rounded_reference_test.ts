/** A frozen reference held in bfloat16: half the memory, and the numbers of a model whose weights are rounded. */
import { assert, assertEquals } from "@std/assert";
import { prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import { assertSame, carryOut, tinyConfig, tinyFiles, withoutRate, writeTinyModel } from "./tiny_run.ts";

const files = await tinyFiles();
const rounded = { update: "frozen", path: null, dtype: "bfloat16" } as const;
const inDirectory = (name: string) => ({ directory: `${files.directory}/${name}` });

Deno.test("a reference in bfloat16 takes half the memory of its matrices", async () => {
  const bytes = async (dtype: "float32" | "bfloat16") => {
    const run = await prepareRun(
      await testDevice(),
      tinyConfig(files, { reference: { ...rounded, dtype } }),
    );
    run.model.directory.close();
    return run.engine.sets.reference!.buffers.reduce((sum, { size }) => sum + size, 0);
  };
  const [whole, half] = [await bytes("float32"), await bytes("bfloat16")];
  assert(half >= 0.5 * whole && half < 0.52 * whole, `${half} bytes of ${whole}`);
});

// The initial norms are 1, so that a file in bfloat16 is rounded where the reference is: in the matrices.
for (
  const { what, seed, path } of [
    { what: "the policy's", seed: 0, path: null },
    { what: "a directory's", seed: 5, path: `${files.directory}/other` },
  ]
) {
  Deno.test(`a reference in bfloat16 of ${what} weights compares as a file in bfloat16 does`, async () => {
    if (path !== null) await writeTinyModel(path, { seed, tokenizer: files.model });
    const inFile = `${files.directory}/rounded-${seed}`;
    await writeTinyModel(inFile, { seed, tokenizer: files.model, dtype: "BF16" });
    const { rows } = await carryOut(
      tinyConfig(files, { reference: { ...rounded, path }, output: inDirectory(`stored-${seed}`) }),
    );
    const { rows: wanted } = await carryOut(
      tinyConfig(files, {
        reference: { update: "frozen", path: inFile },
        output: inDirectory(`file-${seed}`),
      }),
    );
    assertEquals(rows.length, 12);
    assert(rows[0]!["kl/reference"]! > 1e-6, "rounding changes nothing");
    for (const [i, row] of withoutRate(rows).entries()) {
      for (const [name, value] of Object.entries(row)) {
        const error = Math.abs(value - wanted[i]![name]!);
        assert(error <= 2e-5 * Math.max(1, Math.abs(value)), `${name} of step ${i + 1}: off by ${error}`);
      }
    }
  });
}

Deno.test("a run with a rounded reference resumes bit for bit", async () => {
  const config = (name: string) => tinyConfig(files, { reference: rounded, output: inDirectory(name) });
  const whole = await carryOut(config("whole"));
  await carryOut(config("resumed"), { stopAfter: 8 });
  const resumed = await carryOut(config("resumed"), { resume: true });
  assertEquals(withoutRate(resumed.rows), withoutRate(whole.rows));
  assertSame(resumed.weights, whole.weights, "weights");
});
