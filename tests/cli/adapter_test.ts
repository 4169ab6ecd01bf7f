import { assertEquals, assertStringIncludes } from "@std/assert";

const drivers = "/usr/share/vulkan/icd.d";
const onLinux = Deno.build.os === "linux";

/** Runs `ensureAdapter` in a process of its own, because a process looks for drivers once. */
async function ensureAdapterIn(env: Record<string, string>) {
  const { href } = new URL("../../cli/adapter.ts", import.meta.url);
  const code = `
    import { ensureAdapter } from ${JSON.stringify(href)};
    try {
      const adapter = await ensureAdapter({ print: (line) => console.log("printed: " + line) });
      console.log("adapter: " + adapter.info.description, Deno.env.get("LP_NATIVE_VECTOR_WIDTH"));
    } catch (error) {
      console.log("threw: " + error.message);
      Deno.exit(error.exitCode);
    }`;
  const { code: exitCode, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", code],
    env,
    stderr: "inherit",
  }).output();
  return { exitCode, printed: new TextDecoder().decode(stdout) };
}

async function temporary() {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Puts a program called `apt-get` first on the path, which notes its arguments and then runs `then`. */
async function fakeAptGet(folder: string, then: string): Promise<Record<string, string>> {
  const script = `#!/bin/sh\necho "$@" >> ${folder}/calls\n${then}\n`;
  await Deno.writeTextFile(`${folder}/apt-get`, script, { mode: 0o755 });
  return {
    PATH: `${folder}:${Deno.env.get("PATH")}`,
    VK_DRIVER_FILES: `${folder}/driver.json`,
    TR_ALIGN_NO_INSTALL: "0",
  };
}

async function cpuDriver(): Promise<string | undefined> {
  try {
    const files = await Array.fromAsync(Deno.readDir(drivers));
    return files.find(({ name }) => name.startsWith("lvp_icd"))?.name;
  } catch {
    return undefined;
  }
}
const driver = await cpuDriver();
const mayInstall = onLinux && Deno.uid() === 0;

Deno.test("ensureAdapter gives an adapter and leaves variables that are set alone", async () => {
  const { exitCode, printed } = await ensureAdapterIn({ LP_NATIVE_VECTOR_WIDTH: "128" });
  assertEquals(exitCode, 0);
  assertEquals(/^adapter: .* 128\n$/.test(printed), true);
});

Deno.test({
  name: "ensureAdapter says what to install where it may not, and exits with 2",
  ignore: !onLinux,
  fn: async () => {
    const hidden = { VK_DRIVER_FILES: "/nonexistent", TR_ALIGN_NO_INSTALL: "1" };
    const { exitCode, printed } = await ensureAdapterIn(hidden);
    assertEquals(exitCode, 2);
    assertEquals(printed.startsWith("threw: No GPU adapter was found. Install your GPU vendor's"), true);
    assertStringIncludes(printed, "mesa");
  },
});

Deno.test({
  name: "ensureAdapter installs a missing driver and finds its adapter in the same process",
  ignore: !mayInstall || driver === undefined,
  fn: async () => {
    await using folder = await temporary();
    const install = `[ "$4" = install ] && cp ${drivers}/${driver} ${folder.path}/driver.json || exit 0`;
    const { exitCode, printed } = await ensureAdapterIn(await fakeAptGet(folder.path, install));
    assertEquals(exitCode, 0);
    const [announcement, adapter] = printed.split("\n");
    assertStringIncludes(announcement!, "printed: No Vulkan driver found: installing mesa-vulkan-drivers");
    assertStringIncludes(adapter!, "adapter: llvmpipe");
    assertEquals((await Deno.readTextFile(`${folder.path}/calls`)).split("\n"), [
      "-q -o DPkg::Lock::Timeout=120 update",
      "-q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends mesa-vulkan-drivers libvulkan1",
      "",
    ]);
  },
});

Deno.test({
  name: "ensureAdapter shows what apt-get said if it failed, and exits with 2",
  ignore: !mayInstall,
  fn: async () => {
    await using folder = await temporary();
    const env = await fakeAptGet(folder.path, "echo E: Unable to locate package >&2; exit 100");
    const { exitCode, printed } = await ensureAdapterIn(env);
    assertEquals(exitCode, 2);
    assertStringIncludes(printed, "threw: apt-get failed:\nE: Unable to locate package");
    assertStringIncludes(printed, "Install your GPU vendor's Vulkan driver");
  },
});
