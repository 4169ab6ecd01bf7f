/** A peer in a process of its own, which works on request and otherwise sleeps. */
import { splitLines } from "./lines.ts";

/** A peer that is ready. */
export interface Peer {
  /** Name and version, as it introduced itself. */
  readonly name: string;
  /** What else it said of itself. */
  readonly remark: string | null;
  /** Does its work `count` times; `values` show that it was the right work. `memory` is its peak on the device, in bytes. */
  repeat(count: number): Promise<{ milliseconds: number; values: number[]; memory?: number | null }>;
  /** Ends the process. */
  stop(): Promise<void>;
}

/** How to start a peer. */
export interface PeerCommand {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  /** Variables beside those of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where it runs, if not here. */
  readonly directory?: string;
}

/**
 * Starts a peer.
 *
 * @throws If it ends before it is ready, with the error that it wrote.
 */
export async function startPeer(
  { command: [command, ...args], environment: own = {}, directory }: PeerCommand,
): Promise<Peer> {
  const environment = { ...Deno.env.toObject(), NO_COLOR: "1", ...own };
  // Ours sets this for Mesa's CPU driver; who runs a peer hasn't.
  Reflect.deleteProperty(environment, "LP_NATIVE_VECTOR_WIDTH");
  const child = new Deno.Command(command, {
    args,
    env: environment,
    clearEnv: true,
    ...(directory === undefined ? {} : { cwd: directory }),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const answers = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(splitLines()).getReader();
  const requests = child.stdin.getWriter();
  const read = async () => {
    const { value, done } = await answers.read();
    if (!done) return JSON.parse(value);
    const lines = (await errors).trim().split("\n");
    throw new Error(lines.find((line) => /Error\b/.test(line)) ?? lines.at(-1));
  };
  const { name, remark = null } = await read() as { name: string; remark?: string };
  return {
    name,
    remark,
    async repeat(count) {
      await requests.write(new TextEncoder().encode(`${count}\n`));
      return await read();
    },
    async stop() {
      // A peer that failed has closed its end already.
      await requests.close().catch(() => {});
      await child.status;
    },
  };
}
