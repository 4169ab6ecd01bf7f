import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { casesNamed } from "../../bench/cases.ts";
import { modelProducts } from "../../cli/tune_products.ts";
import { createWorkspace, trainFlags } from "./workspace.ts";

Deno.test("tune measures a model's products and keeps the choices, which runs then take", async () => {
  await using workspace = await createWorkspace();
  const env = { XDG_CACHE_HOME: `${workspace.root}/cache` };
  const tuned = await workspace.run("tune", ["--model.path=model", "--rows=8"], env);
  assertEquals(tuned.code, 0, tuned.stderr);
  const [head, ...lines] = tuned.stdout.trimEnd().split("\n");
  assertMatch(head!, /^product +m×n×k +rule +best +GFLOP\/s +gain$/);
  assertEquals(lines.slice(0, -2).length, 15); // five layers, forward, dX and dW
  assertMatch(lines[0]!, /^qkv forward +8×\d+×32 +\S.* \d[\d.]*$/);
  const path = lines.at(-1)!.split(": ")[0]!;
  const { matmul } = JSON.parse(await Deno.readTextFile(path));
  assertEquals(lines.at(-1), `${path}: ${Object.keys(matmul).length} products`);
  assertStringIncludes(path, `${workspace.root}/cache/tr-align/kernels-`);

  const run = await workspace.run("train", [...trainFlags({ "output.directory": "out" }), "--dry-run"], env);
  assertEquals(run.code, 0, run.stderr);
  assertStringIncludes(run.stdout, `; kernels as measured for ${Object.keys(matmul).length} products`);
});

Deno.test("tune refuses what it would ignore", async () => {
  await using workspace = await createWorkspace();
  const refuses = async (flags: string[], message: string) => {
    const { code, stderr } = await workspace.run("tune", flags);
    assertEquals(code, 1);
    assertStringIncludes(stderr, message);
  };
  await refuses(["--rows=8"], "rows: would be ignored without model.path");
  await refuses(["--dtype=bfloat16"], "dtype: would be ignored without model.path");
  await refuses(
    ["--model.path=model", "--rows=8", "--completion_tokens=9"],
    "completion_tokens: 9 is more than the 8 rows that they are among",
  );
});

Deno.test("modelProducts are a model's linear layers, forward and backward", () => {
  const { config } = casesNamed(["M"])[0]!;
  const shapes = (packed: boolean) =>
    modelProducts(config, { rows: 224, slots: 192, packed }).map((
      { name, m, n, k, transposeA, transposeB },
    ) => `${name} ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"} ${m} ${n} ${k}`);
  // The 15M-parameter Llama: 288 channels, 768 between, 6 heads of 48, 32,000 tokens.
  assertEquals(shapes(false).filter((name) => /gate_up|head/.test(name)), [
    "gate_up forward NT 224 1536 288",
    "gate_up dX NN 224 288 1536",
    "gate_up dW TN 1536 288 224",
    "head forward NT 192 32000 288",
    "head dX NN 192 288 32000",
    "head dW TN 32000 288 192",
  ]);
  assertEquals(shapes(true).filter((name) => name.includes("dW")), []);
});
