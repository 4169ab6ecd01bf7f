/** Finding and fetching the peers; nothing is installed outside of the given directory. */

/** The version that is measured. */
const JAX = "@jax-js/jax@0.1.25";

/** A Python that has PyTorch. */
export interface Python {
  /** The interpreter. */
  readonly command: string;
  /** What makes its threads fast. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Finds a Python that has PyTorch; null if there is none. */
export async function findPython(): Promise<Python | null> {
  // A version manager's python3 often comes first and has no packages.
  for (const command of ["python3", "/usr/bin/python3"]) {
    if (!await succeeds(command, ["-c", "import torch"])) continue;
    const hasMkl = await succeeds(command, ["-c", "import torch; assert torch.backends.mkl.is_available()"]);
    // Without MKL products run on OpenBLAS's own threads, which a second pool beside them slows down.
    const isFree = Deno.env.get("OMP_NUM_THREADS") === undefined;
    return { command, environment: !hasMkl && isFree ? { OMP_NUM_THREADS: "1" } : {} };
  }
  return null;
}

/** Installs jax-js with npm; returns its module's path, or why there is none. */
export async function installJax(directory: string): Promise<string | Error> {
  const installed = await succeeds("npm", ["install", "--prefix", directory, "--no-audit", "--no-fund", JAX]);
  return installed
    ? `${directory}/node_modules/@jax-js/jax/dist/index.js`
    : new Error(`npm install ${JAX} failed`);
}

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}
