/** Running modules in headless Chromium, whose WebGPU (Dawn, Tint) is not the one that Deno has (wgpu, naga). */

/** Set to 1 to check kernels and a training step in Chromium. */
export const CHROMIUM_VARIABLE = "TR_ALIGN_CHROMIUM";

/** Whether the checks in Chromium are asked for. */
export function wantsChromium(): boolean {
  return Deno.env.get(CHROMIUM_VARIABLE) === "1";
}

/** Names of the browser on PATH, where CHROME_PATH doesn't say which. */
const PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** WebGPU on SwiftShader, which needs no GPU, and nothing else that would call out or ask. */
const FLAGS = [
  "--headless",
  "--disable-gpu-sandbox",
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan,WebGPU",
  "--use-webgpu-adapter=swiftshader",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Milliseconds after which a page that has said nothing is given up. */
const PATIENCE = 120_000;

/** A page of a module alone: it gives what the module's `run` makes of the request back to the server. */
const PAGE = `<!doctype html><script type="module">
const send = (answer) => fetch("/answer", { method: "POST", body: JSON.stringify(answer) });
try {
  const { run } = await import("/module.js");
  await send({ result: await run(await (await fetch("/request")).json()) });
} catch (error) {
  await send({ error: String(error?.stack ?? error) });
}
</script>`;

/**
 * Bundles a module that runs in a page, loads it in Chromium, and returns what its `run(request)` returns.
 *
 * @param module URL of the module.
 * @param request What JSON can hold.
 * @throws If Chromium isn't found or gives no answer, or `run` throws.
 */
export async function runInChromium<T>(module: URL, request: unknown): Promise<T> {
  const code = await bundle(module);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (incoming) => {
    const { pathname } = new URL(incoming.url);
    if (pathname === "/") return new Response(PAGE, { headers: { "content-type": "text/html" } });
    if (pathname === "/module.js") {
      return new Response(code, { headers: { "content-type": "text/javascript" } });
    }
    if (pathname === "/request") return Response.json(request);
    if (pathname !== "/answer") return new Response(null, { status: 404 });
    const answer = await incoming.json();
    if ("error" in answer) reject(new Error(`in Chromium: ${answer.error}`));
    else resolve(answer.result);
    return new Response();
  });
  const profile = await Deno.makeTempDir({ prefix: "tr_align_chromium_" });
  const program = findProgram();
  const browser = new Deno.Command(program, {
    args: [
      ...FLAGS,
      // Chromium refuses to sandbox what root runs.
      ...(Deno.build.os !== "windows" && Deno.uid() === 0 ? ["--no-sandbox"] : []),
      `--user-data-dir=${profile}`,
      `http://127.0.0.1:${server.addr.port}/`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(
    () => reject(new Error(`${program} has not answered in ${PATIENCE / 1000} s`)),
    PATIENCE,
  );
  browser.status.then(({ code }) => reject(new Error(`${program} ended with code ${code} and no answer`)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    browser.kill();
    await browser.status;
    await server.shutdown();
    await removeProfile(profile);
  }
}

/** Chromium's own processes may still be writing when the first one has ended. */
async function removeProfile(profile: string): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      return await Deno.remove(profile, { recursive: true });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function findProgram(): string {
  const named = Deno.env.get("CHROME_PATH");
  if (named !== undefined) return named;
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  for (const path of folders.flatMap((folder) => PROGRAMS.map((program) => `${folder}/${program}`))) {
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch { /* the next one */ }
  }
  throw new Error(`None of ${PROGRAMS.join(", ")} is on PATH: install Chromium, or set CHROME_PATH to it`);
}

async function bundle(module: URL): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", module.pathname],
    cwd: new URL("../..", import.meta.url).pathname,
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`deno bundle ${module.pathname}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
