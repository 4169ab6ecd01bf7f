/**
 * Finding a GPU adapter, and on a bare Debian or Ubuntu installing the driver that provides one on the CPU.
 *
 * @module
 */
import { UserError } from "./errors.ts";

/** Options of {@linkcode ensureAdapter}. */
export interface EnsureAdapterOptions {
  /** Receives the line that announces an installation; standard error by default. */
  print?: (line: string) => void;
}

const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];
const NO_ADAPTER_EXIT_CODE = 2;

/**
 * Returns the machine's fastest GPU adapter, after having made sure that it has one.
 *
 * On Linux WebGPU needs a Vulkan driver. Where none is found, the process is root's and `apt-get` is there, Mesa's
 * is installed, which runs on the CPU; this is announced, and `TR_ALIGN_NO_INSTALL=1` forbids it.
 *
 * Call it before anything else asks for an adapter: Deno looks for drivers once, at the first request.
 *
 * @throws {UserError} with exit code 2 and what to install, if there is no adapter
 */
export async function ensureAdapter(
  { print = console.error }: EnsureAdapterOptions = {},
): Promise<GPUAdapter> {
  prepareEnvironment();
  if (Deno.build.os === "linux" && !await hasAdapter()) await installDriver(print);
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter) return adapter;
  throw new UserError(`No GPU adapter was found. ${whatToDo()}`, { exitCode: NO_ADAPTER_EXIT_CODE });
}

function prepareEnvironment(): void {
  if (Deno.build.os !== "linux") return;
  // Without Vulkan, Deno would fall back to OpenGL, which has no half precision and no subgroups.
  setIfUnset("DENO_WEBGPU_BACKEND", "vulkan");
  // Mesa complains on standard error if this is unset, and then does without it.
  setIfUnset("XDG_RUNTIME_DIR", Deno.env.get("TMPDIR") ?? "/tmp");
  // Mesa's CPU driver uses eight lanes unless told that there are sixteen.
  if (readText("/proc/cpuinfo").includes(" avx512f ")) setIfUnset("LP_NATIVE_VECTOR_WIDTH", "512");
}

// A worker has a WebGPU instance of its own. Were this thread the one to ask, before a driver is installed, it
// would not see one later either.
function hasAdapter(): Promise<boolean> {
  const code = "postMessage(await navigator.gpu.requestAdapter() !== null)";
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(code)}`, { type: "module" });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    resolve(false);
  };
  return promise.finally(() => worker.terminate());
}

async function installDriver(print: (line: string) => void): Promise<void> {
  if (Deno.env.get("TR_ALIGN_NO_INSTALL") === "1" || Deno.uid() !== 0 || !isOnPath("apt-get")) return;
  print(
    `No Vulkan driver found: installing ${PACKAGES.join(" and ")} with apt-get ` +
      "(TR_ALIGN_NO_INSTALL=1 forbids this).",
  );
  // An update may fail for a source that is not needed here; whether that matters, the installation shows.
  const update = await aptGet(["update"]);
  const install = await aptGet(["install", "-y", "--no-install-recommends", ...PACKAGES]);
  if (install.success) return;
  throw new UserError(`apt-get failed:\n${update.output}${install.output}${whatToDo()}`, {
    exitCode: NO_ADAPTER_EXIT_CODE,
  });
}

async function aptGet(args: string[]): Promise<{ success: boolean; output: string }> {
  const { success, stdout, stderr } = await new Deno.Command("apt-get", {
    args: ["-q", "-o", "DPkg::Lock::Timeout=120", ...args], // another apt-get may be at work
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).output();
  return { success, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

function whatToDo(): string {
  switch (Deno.build.os) {
    case "darwin":
      return "Deno reaches the GPU of a Mac through Metal: update macOS, and run outside of a virtual machine.";
    case "windows":
      return "Deno reaches the GPU through DirectX 12 or Vulkan: install your GPU vendor's current driver.";
    default:
      return `Install your GPU vendor's Vulkan driver, or Mesa's, which also runs on the CPU: ${mesaCommand()}`;
  }
}

function mesaCommand(): string {
  const commands: Record<string, string> = {
    debian: `sudo apt-get update && sudo apt-get install -y ${PACKAGES.join(" ")}`,
    fedora: "sudo dnf install -y mesa-vulkan-drivers vulkan-loader",
    arch: "sudo pacman -S --needed vulkan-swrast vulkan-icd-loader",
  };
  // Derived distributions name the one they come from: ID=ubuntu, ID_LIKE=debian.
  const ids = readText("/etc/os-release").matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm);
  for (const id of [...ids].flatMap(([, list]) => list!.split(" "))) {
    if (Object.hasOwn(commands, id)) return commands[id]!;
  }
  const names: Record<string, string> = { debian: "Debian, Ubuntu", fedora: "Fedora", arch: "Arch" };
  return Object.entries(commands).map(([id, command]) => `\n  ${names[id]}: ${command}`).join("");
}

function isOnPath(program: string): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return folders.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

function setIfUnset(variable: string, value: string): void {
  if (Deno.env.get(variable) === undefined) Deno.env.set(variable, value);
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
