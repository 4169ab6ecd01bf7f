import { assert, assertEquals, assertRejects } from "@std/assert";
import { claimDirectory, openMetrics, readMetrics } from "../../training/output.ts";

const names = async (path: string) =>
  (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();

/** A directory with the files of a run. */
async function formerRun(): Promise<string> {
  const path = await Deno.makeTempDir();
  await Deno.mkdir(`${path}/checkpoints/step-000005`, { recursive: true });
  await Deno.mkdir(`${path}/model`);
  for (const name of ["config.yaml", "metrics.jsonl", "report.html", "notes.txt"]) {
    await Deno.writeTextFile(`${path}/${name}`, name);
  }
  return path;
}

Deno.test("claimDirectory makes a new directory with its parents and leaves nothing in it", async () => {
  const path = `${await Deno.makeTempDir()}/a/b`;
  const output = await claimDirectory(path, { mode: "new" });
  assertEquals(output.metrics, `${path}/metrics.jsonl`);
  assertEquals(await names(path), []);
  await claimDirectory(path, { mode: "new" }); // empty is as good as absent
});

Deno.test("claimDirectory refuses a directory that is not empty and says what one can do", async () => {
  const path = await formerRun();
  const before = await names(path);
  await assertRejects(
    () => claimDirectory(path, { mode: "new" }),
    Error,
    `${path}: the output directory is not empty; choose another, or continue the run in it with --resume`,
  );
  assertEquals(await names(path), before);
});

Deno.test("claimDirectory resumes a run only where one is", async () => {
  const path = await formerRun();
  const before = await names(path);
  await claimDirectory(path, { mode: "resume" });
  assertEquals(await names(path), before);
  const empty = await Deno.makeTempDir();
  for (const other of [empty, `${empty}/absent`]) {
    await assertRejects(
      () => claimDirectory(other, { mode: "resume" }),
      Error,
      `${other}: there is no run to resume here`,
    );
  }
});

Deno.test("claimDirectory overwrites what a run wrote and nothing else", async () => {
  const path = await formerRun();
  await claimDirectory(path, { mode: "overwrite" });
  assertEquals(await names(path), ["notes.txt"]);
});

Deno.test("claimDirectory does not overwrite a directory that holds no run", async () => {
  const path = await Deno.makeTempDir();
  await Deno.writeTextFile(`${path}/thesis.tex`, "");
  await assertRejects(
    () => claimDirectory(path, { mode: "overwrite" }),
    Error,
    `${path}: --overwrite replaces a former run, but this directory holds something else`,
  );
  assertEquals(await names(path), ["thesis.tex"]);
  await claimDirectory(`${path}/absent`, { mode: "overwrite" });
});

Deno.test("claimDirectory names a path where nothing can be written", async () => {
  const file = await Deno.makeTempFile();
  for (const path of [file, `${file}/run`]) {
    await assertRejects(() => claimDirectory(path, { mode: "new" }), Error, `${path}: cannot `);
  }
});

Deno.test({
  name: "claimDirectory names a path where no directory can be made",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const path = "/proc/tr_align";
    await assertRejects(() => claimDirectory(path, { mode: "new" }), Error, `${path}: cannot write here: `);
  },
});

Deno.test("openMetrics starts empty, appends rows, and they can be read at any time", async () => {
  const path = `${await Deno.makeTempDir()}/metrics.jsonl`;
  const metrics = await openMetrics(path, { step: 0 });
  assertEquals(await Deno.readTextFile(path), "");
  metrics.append({ step: 1, loss: 0.5 });
  metrics.append({ step: 2, loss: 0.25 });
  assertEquals(await Deno.readTextFile(path), '{"step":1,"loss":0.5}\n{"step":2,"loss":0.25}\n');
  metrics.close();
  assertEquals(metrics.rows, await readMetrics(path));
});

Deno.test("openMetrics of a resumed run drops rows after its step and the line that was half written", async () => {
  const path = `${await Deno.makeTempDir()}/metrics.jsonl`;
  await Deno.writeTextFile(
    path,
    '{"step":4,"loss":4}\n{"step":5,"loss":5}\n{"step":6,"loss":6}\n{"step":7,"lo',
  );
  assertEquals((await readMetrics(path)).map(({ step }) => step), [4, 5, 6]);
  const metrics = await openMetrics(path, { step: 5 });
  metrics.append({ step: 6, loss: 60 });
  metrics.close();
  assertEquals(
    await Deno.readTextFile(path),
    '{"step":4,"loss":4}\n{"step":5,"loss":5}\n{"step":6,"loss":60}\n',
  );
});

Deno.test("readMetrics of a run that wrote none is empty", async () => {
  const rows = await readMetrics(`${await Deno.makeTempDir()}/metrics.jsonl`);
  assert(Array.isArray(rows));
  assertEquals(rows, []);
});
