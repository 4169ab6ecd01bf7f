import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { loadTuning, saveTuning, tuningFile } from "../../cli/tuning_file.ts";
import type { Device } from "../../kernels/device.ts";
import type { MatmulVariant } from "../../kernels/matmul_variants.ts";

const choices: [string, MatmulVariant][] = [
  ["NT 1×224×1536×320", { rows: 56, vectors: 2 }],
  ["NN 1×192×320×32768", { tile: "medium", splits: 8 }],
];

const deviceWith = (tuning: [string, MatmulVariant][], description = "an adapter (1)") =>
  ({ description, tuning: new Map(tuning) }) as unknown as Device;

async function load(file: string, description?: string): Promise<{ device: Device; lines: string[] }> {
  const device = deviceWith([], description);
  const lines: string[] = [];
  await loadTuning(device, { file, print: (line) => lines.push(line) });
  return { device, lines };
}

Deno.test("loadTuning reads what saveTuning wrote", async () => {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/below/kernels.json`;
  assertEquals(await saveTuning(deviceWith(choices), { file }), file);
  const { device, lines } = await load(file);
  assertEquals([...device.tuning], choices);
  assertEquals(lines, []);
  assertEquals((await load(`${directory}/absent.json`)).lines, []);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("loadTuning leaves out a damaged or stale file with one line", async () => {
  const file = await Deno.makeTempFile();
  const ignored = async (text: string, reason: string, description?: string) => {
    await Deno.writeTextFile(file, text);
    const { device, lines } = await load(file, description);
    assertEquals(device.tuning.size, 0);
    const line = `warning: ${file} ${reason} and is ignored; \`deno task tune\` writes it anew`;
    assertEquals(lines, [line]);
  };
  await saveTuning(deviceWith(choices), { file });
  const text = await Deno.readTextFile(file);
  await ignored(text.slice(0, -10), "is damaged");
  await ignored("null", "is of another adapter or version");
  await ignored(text, "is of another adapter or version", "another adapter");
  await ignored(text.replace(`"${Deno.version.deno}"`, '"1.0.0"'), "is of another adapter or version");
  await ignored(text.replace("medium", "huge"), "is damaged");
  await ignored(text.replace('"rows": 56', '"rows": 5.6'), "is damaged");
  await Deno.remove(file);
});

Deno.test("tuningFile names one file an adapter", () => {
  const name = (adapter: string) => tuningFile(adapter)?.split("/").slice(-2).join("/");
  if (tuningFile("x") === null) return; // no home
  assertEquals(
    name("llvmpipe (LLVM 15.0.6, 512 bits)"),
    "tr-align/kernels-llvmpipe-llvm-15-0-6-512-bits.json",
  );
  assertMatch(name("NVIDIA/../../x")!, /^tr-align\/kernels-nvidia-x\.json$/);
});

Deno.test("saveTuning says what to set where there is no place for caches", async () => {
  await assertRejects(() => saveTuning(deviceWith([]), { file: null }), Error, "set XDG_CACHE_HOME");
});
