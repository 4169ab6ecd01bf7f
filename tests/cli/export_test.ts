import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fixturePath } from "../fixtures/fixtures.ts";
import { readGguf } from "../models/files/gguf/read_gguf.ts";
import { placeholderTokenizer } from "../models/files/gguf/tokenizers.ts";
import { createWorkspace, type Workspace } from "./workspace.ts";

/** A model that can be exported: the quick start's words can't. */
async function writeExportable({ root, write }: Workspace): Promise<void> {
  await Deno.mkdir(`${root}/tiny`);
  for (const file of ["config.json", "model.safetensors"]) {
    await Deno.copyFile(`${fixturePath("llama-gqa")}/${file}`, `${root}/tiny/${file}`);
  }
  const { tokenizerJson, tokenizerConfig } = placeholderTokenizer(97);
  await write("tiny/tokenizer.json", JSON.stringify(tokenizerJson));
  await write("tiny/tokenizer_config.json", JSON.stringify(tokenizerConfig));
}

Deno.test("export writes a file, says what is in it, and replaces it only when asked to", async () => {
  await using workspace = await createWorkspace();
  await writeExportable(workspace);
  await workspace.write("template.jinja", "{{ messages }}");
  const flags = ["--model.path=tiny", "--output.file=tiny.gguf", "--output.type=q8_0"];
  const first = await workspace.run("export", flags);
  assertEquals(first.code, 0, first.stderr);
  assertStringIncludes(first.stdout, "tensors: 14 in Q8_0, 5 in F32, 2 in F16");
  assertStringIncludes(first.stdout, "Note: 2 matrices whose rows");

  const second = await workspace.run("export", flags);
  assertEquals(second.code, 1);
  assert(
    /^error: tiny\.gguf: a file is there already; .*--overwrite.*\n$/.test(second.stderr),
    second.stderr,
  );

  const more = ["--overwrite", "--data.template=template.jinja", "--output.name=mine"];
  assertEquals((await workspace.run("export", [...flags, ...more])).code, 0);
  const { metadata } = readGguf(await Deno.readFile(`${workspace.root}/tiny.gguf`));
  assertEquals(metadata.get("tokenizer.chat_template"), "{{ messages }}");
  assertEquals(metadata.get("general.name"), "mine");
  assertEquals(await workspace.list().then((all) => all.filter((name) => name.includes("partial"))), []);
});

Deno.test("export says in one line what is wrong", async () => {
  await using workspace = await createWorkspace();
  const fails = async (flags: string[], message: string) => {
    const { code, stderr } = await workspace.run("export", flags);
    assertEquals(code, 1);
    assertStringIncludes(stderr, message);
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
  };
  const file = "--output.file=x.gguf";
  await fails(["--model.path=model", file], `its model is "WordPiece"; only BPE tokenizers can be exported`);
  await fails(["--model.path=nowhere", file], "nowhere: there is no such directory");
  await fails(["--model.path=model", file, "--type=f16"], "export has output.type");
  await fails(["--model.path=model", file, "--output.type=q4"], "is not f32, f16, bf16 or q8_0");
  await fails(["--model.path=model", file, "--data.template=none"], "data.template: cannot read none");
  assertEquals((await workspace.list()).filter((name) => name.includes("gguf")), []);
});
