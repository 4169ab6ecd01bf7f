/** The machine that results are from. */
import { openDevice } from "../cli/device.ts";

/** Where and with what results were measured. */
export interface Environment {
  /** What the adapter calls itself. */
  readonly adapter: string;
  /** Whether it computes on the CPU. */
  readonly software: boolean;
  /** Its subgroups' fixed size, or 0. */
  readonly subgroupSize: number;
  /** Logical processors of the host. */
  readonly processors: number;
  /** Processes that wanted to run, averaged over the minute before the benchmarks began. */
  readonly load: number;
  /** Deno's version. */
  readonly deno: string;
  /** The commit that is checked out, or "unknown". */
  readonly commit: string;
  /** Whether files differ from the commit. */
  readonly modified: boolean;
  /** When the benchmarks began, ISO 8601. */
  readonly date: string;
}

export { openDevice };

/** Describes this machine and checkout. */
export async function describeEnvironment(): Promise<Environment> {
  const device = await openDevice();
  const { description: adapter, software, subgroupSize } = device;
  device.destroy();
  return {
    adapter,
    software,
    subgroupSize,
    processors: navigator.hardwareConcurrency,
    load: Deno.loadavg()[0]!,
    deno: Deno.version.deno,
    commit: await git("rev-parse", "HEAD") ?? "unknown",
    modified: await git("status", "--porcelain", "--untracked-files=no") !== "",
    date: new Date().toISOString(),
  };
}

async function git(...args: string[]): Promise<string | null> {
  try {
    const command = new Deno.Command("git", { args, cwd: import.meta.dirname!, stderr: "null" });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch {
    return null;
  }
}
