/** Fetching llama.cpp as node-llama-cpp's prebuilt CPU libraries; nothing is installed outside of a temporary directory. */

const VERSION = "3.22.1";

/** Set to 1 to check exported files with llama.cpp: a download of 50 MB. */
export const LLAMA_CPP_VARIABLE = "TR_ALIGN_LLAMA_CPP";

/** Whether the checks with llama.cpp are asked for. */
export function wantsLlamaCpp(): boolean {
  return Deno.env.get(LLAMA_CPP_VARIABLE) === "1";
}

let installed: Promise<string> | undefined;

/** Installs llama.cpp once a process and returns the directory with the script that runs it. */
export function installLlamaCpp(): Promise<string> {
  return installed ??= install();
}

async function install(): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "tr_align_llama_cpp_" });
  addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  await Deno.writeTextFile(`${directory}/package.json`, `{ "private": true, "type": "module" }`);
  await Deno.copyFile(new URL("evaluate.mjs", import.meta.url), `${directory}/evaluate.mjs`);
  const packages = [`node-llama-cpp@${VERSION}`, `@node-llama-cpp/${platform()}@${VERSION}`];
  const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"];
  const { success, stderr } = await new Deno.Command("npm", {
    args: ["install", "--prefix", directory, ...options, ...packages],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`npm install ${packages.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return directory;
}

/** node-llama-cpp's name of this platform. */
function platform(): string {
  const { os, arch } = Deno.build;
  const isArm = arch === "aarch64";
  if (os === "darwin") return isArm ? "mac-arm64-metal" : "mac-x64";
  return `${os === "windows" ? "win" : "linux"}-${isArm ? "arm64" : "x64"}`;
}
