/** Finding and fetching the peers; nothing is installed outside of the given directory. */

/** The versions that are measured. */
const JAX = ["@jax-js/jax@0.1.25"];
const TFJS = ["core", "backend-webgpu", "backend-wasm"].map((name) => `@tensorflow/tfjs-${name}@4.22.0`);

/** A Python that has PyTorch. */
export interface Python {
  /** The interpreter. */
  readonly command: string;
  /** What makes its threads fast. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether its PyTorch sees an NVIDIA GPU. */
  readonly cuda: boolean;
}

/** Finds a Python that has PyTorch; null if there is none. */
export async function findPython(): Promise<Python | null> {
  // A version manager's python3 often comes first and has no packages.
  for (const command of ["python3", "/usr/bin/python3"]) {
    if (!await succeeds(command, ["-c", "import torch"])) continue;
    const hasMkl = await succeeds(command, ["-c", "import torch; assert torch.backends.mkl.is_available()"]);
    // Without MKL products run on OpenBLAS's own threads, which a second pool beside them slows down.
    const isFree = Deno.env.get("OMP_NUM_THREADS") === undefined;
    const cuda = await succeeds(command, ["-c", "import torch; assert torch.cuda.is_available()"]);
    return { command, environment: !hasMkl && isFree ? { OMP_NUM_THREADS: "1" } : {}, cuda };
  }
  return null;
}

/** Installs jax-js with npm; returns its module's path, or why there is none. */
export async function installJax(directory: string): Promise<string | Error> {
  const failure = await install(directory, JAX);
  return failure ?? `${directory}/node_modules/@jax-js/jax/dist/index.js`;
}

/** Installs tfjs with npm; returns why that failed, if it did. */
export function installTfjs(directory: string): Promise<Error | null> {
  return install(directory, TFJS);
}

async function install(directory: string, packages: readonly string[]): Promise<Error | null> {
  const args = ["install", "--prefix", directory, "--no-audit", "--no-fund", ...packages];
  return await succeeds("npm", args) ? null : new Error(`npm install ${packages.join(" ")} failed`);
}

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}
