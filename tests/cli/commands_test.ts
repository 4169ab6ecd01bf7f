/** What all commands have in common. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Command, configHelp } from "../../cli/config.ts";
import { assertRefuses, type CommandName, createWorkspace, trainFlags } from "./workspace.ts";

const COMMANDS: readonly Command[] = [
  "train",
  "sft",
  "inspect",
  "score",
  "generate",
  "evaluate",
  "export",
  "tune",
];

for (const command of COMMANDS) {
  Deno.test(`${command} --help says how it is called and documents every key, whatever else is given`, async () => {
    await using workspace = await createWorkspace();
    const help = await workspace.run(command, ["--help"]);
    assertEquals({ code: help.code, stderr: help.stderr }, { code: 0, stderr: "" });
    assert(help.stdout.startsWith(`deno task ${command} `), help.stdout);
    assertStringIncludes(help.stdout, configHelp(command));
    assertEquals(await workspace.run(command, ["absent.yaml", "--no.such.key=1", "-h"]), help);
  });
}

Deno.test("every command names what it needs and was not told", async () => {
  await using workspace = await createWorkspace();
  const missing: Record<Exclude<Command, "train" | "tune">, string> = {
    sft: "data.train: is missing: ",
    inspect: "data.train: is missing: ",
    score: "data.records: is missing: ",
    generate: "data.prompts: is missing: ",
    evaluate: "data.records: is missing: ",
    export: "output.file: is missing: ",
  };
  for (const [command, part] of Object.entries(missing) as [CommandName, string][]) {
    const { code, stderr } = await workspace.run(command, []);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "model.path: is missing: ");
    assertStringIncludes(stderr, part);
  }
  for (const command of COMMANDS) {
    const parts = ["absent.yaml: there is no such file"];
    await assertRefuses(workspace, { command, args: ["absent.yaml"], parts });
  }
});

Deno.test({
  name: "every command without a GPU adapter says what to install, exits with 2, and leaves no file",
  ignore: Deno.build.os !== "linux", // elsewhere the system brings its driver
  fn: async () => {
    await using workspace = await createWorkspace();
    await Deno.mkdir(`${workspace.root}/run`);
    await workspace.write("run/config.yaml", "");
    const training = trainFlags({ "output.directory": "runs/out" });
    const reading = ["--model.path=model", "--output.file=out.jsonl"];
    const calls: [CommandName, string[]][] = [
      ["train", training],
      ["train", [...trainFlags({ "output.directory": "run" }), "--overwrite"]],
      ["sft", training],
      ["score", [...reading, "--data.records=pairs.jsonl"]],
      ["generate", [...reading, "--prompt=Anna asks"]],
      ["evaluate", [...reading, "--data.records=pairs.jsonl"]],
    ];
    for (const [command, args] of calls) {
      const before = await workspace.snapshot();
      const { code, stderr } = await workspace.run(command, args, {
        VK_DRIVER_FILES: "/nonexistent",
        TR_ALIGN_NO_INSTALL: "1",
      });
      assertEquals(code, 2);
      assertStringIncludes(
        stderr,
        "error: No GPU adapter was found. Install your GPU vendor's Vulkan driver, or Mesa's",
      );
      assert(/(apt-get install|dnf install|pacman -S) .*(mesa|vulkan)/.test(stderr), stderr);
      assert(!/^\s+at /m.test(stderr), stderr);
      assertEquals(await workspace.snapshot(), before);
    }
  },
});
