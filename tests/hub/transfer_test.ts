import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HubError, resolveModel } from "../../hub/mod.ts";
import { hashesOf } from "./server.ts";
import { createHubWorkspace, type HubWorkspace, WEIGHTS } from "./workspace.ts";

const MODEL = "owner/tiny";
const FILE = "model.safetensors";

async function blobPath({ settings }: HubWorkspace): Promise<string> {
  return `${settings.cache}/models--owner--tiny/blobs/${(await hashesOf(WEIGHTS)).sha256}`;
}

function ranges({ hub }: HubWorkspace): (string | null)[] {
  return hub.requests.filter(({ part, path }) => part === "cdn" && path.endsWith(FILE)).map(({ range }) =>
    range
  );
}

async function assertWhole(space: HubWorkspace, path: string): Promise<void> {
  assertEquals(await Deno.readFile(`${path}/${FILE}`), WEIGHTS);
  assertEquals((await space.cached()).filter((name) => name.endsWith(".incomplete")), []);
}

Deno.test("a connection that is cut is taken up where it ended", async () => {
  await using space = await createHubWorkspace({
    "models/owner/tiny": { files: { "config.json": "{}", [FILE]: WEIGHTS } },
  });
  // More cuts than repetitions are allowed: those before which something came don't count.
  const cuts = [80_000, 40_000, 4000, 4000, 4000];
  space.hub.fail("cdn", ...cuts.map((cutAfter) => ({ cutAfter })));
  const { path } = await resolveModel(MODEL, space);
  await assertWhole(space, path);
  // The server sends 4096 bytes at a time: 20 pieces, then 10, then one, one, one, and the rest.
  const starts = [81_920, 122_880, 126_976, 131_072, 135_168];
  assertEquals(ranges(space), [null, ...starts.map((start) => `bytes=${start}-`)]);
  assertEquals(space.hub.sent.get(FILE), WEIGHTS.length);
  const progress = space.events.filter((event) => event.type === "progress");
  const total = WEIGHTS.length + 2;
  assertEquals(progress.at(-1), { type: "progress", received: total, total });
  assert(progress.every(({ received }, i) => i === 0 || received >= progress[i - 1]!.received), "never back");
});

Deno.test("what a former process fetched is kept, also when it gave up", async () => {
  await using space = await createHubWorkspace();
  // After the first cut nothing further comes, so the attempts are counted.
  space.hub.fail("cdn", { cutAfter: 80_000 }, { status: 502 }, { status: 502 }, { status: 502 });
  const error = await assertRejects(() => resolveModel(MODEL, space), HubError);
  assertEquals(error.kind, "interrupted");
  assertStringIncludes(error.message, `${MODEL}: ${FILE}: `);
  assertStringIncludes(error.message, "what has come is kept, so run this again");
  const { size } = await Deno.stat(`${await blobPath(space)}.incomplete`);
  assertEquals(size, 81_920);
  await assertWhole(space, (await resolveModel(MODEL, space)).path);
  assertEquals(space.hub.sent.get(FILE), WEIGHTS.length);
});

Deno.test("a download goes on with the bytes of an .incomplete file, which the hash covers", async () => {
  await using space = await createHubWorkspace();
  const blob = await blobPath(space);
  await Deno.mkdir(blob.slice(0, blob.lastIndexOf("/")), { recursive: true });
  await Deno.writeFile(`${blob}.incomplete`, WEIGHTS.subarray(0, 150_000));
  const { path } = await resolveModel(MODEL, space);
  await assertWhole(space, path);
  assertEquals(ranges(space), ["bytes=150000-"]);
  assertEquals(space.hub.sent.get(FILE), WEIGHTS.length - 150_000);
});

Deno.test("an .incomplete file with wrong bytes, or too many, is fetched anew", async () => {
  for (const kept of [new Uint8Array(1000), new Uint8Array(WEIGHTS.length + 1)]) {
    await using space = await createHubWorkspace();
    const blob = await blobPath(space);
    await Deno.mkdir(blob.slice(0, blob.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(`${blob}.incomplete`, kept);
    await assertWhole(space, (await resolveModel(MODEL, space)).path);
    const isPart = kept.length < WEIGHTS.length;
    assertEquals(ranges(space), isPart ? ["bytes=1000-", null] : [null]);
    assertEquals(
      space.messages(),
      isPart ? [`${FILE}: what was kept of it is damaged; fetching it anew`] : [],
    );
  }
});

Deno.test("a server that answers with the whole instead of the rest is believed", async () => {
  await using space = await createHubWorkspace();
  const blob = await blobPath(space);
  await Deno.mkdir(blob.slice(0, blob.lastIndexOf("/")), { recursive: true });
  await Deno.writeFile(`${blob}.incomplete`, WEIGHTS.subarray(0, 5000));
  space.hub.ignoresRanges = true;
  await assertWhole(space, (await resolveModel(MODEL, space)).path);
  assertEquals(space.hub.sent.get(FILE), WEIGHTS.length);
});

Deno.test("bytes with another hash never get the file's name", async () => {
  const wrong = WEIGHTS.slice();
  wrong[77]! ^= 1;
  for (
    const [bytes, part] of [[wrong, "SHA-256 of what came is "], [new Uint8Array(300_000), "more than the"]]
  ) {
    await using space = await createHubWorkspace();
    space.hub.tampered.set(FILE, bytes as Uint8Array<ArrayBuffer>);
    const error = await assertRejects(() => resolveModel(MODEL, space), HubError);
    assertEquals(error.kind, "damaged");
    for (const text of [`${MODEL}: ${FILE}: `, part as string, "thrown away"]) {
      assertStringIncludes(error.message, text);
    }
    const { sha256 } = await hashesOf(WEIGHTS);
    assertEquals((await space.cached()).filter((name) => name.includes(sha256) || name.endsWith(FILE)), []);
    space.hub.tampered.clear();
    await assertWhole(space, (await resolveModel(MODEL, space)).path);
  }
});

Deno.test("failures that pass are waited for: 500 twice, 503 with a date, silence", async () => {
  await using space = await createHubWorkspace();
  space.hub.fail("api", { status: 500 }, { status: 500 });
  space.hub.fail("resolve", { status: 503, headers: { "Retry-After": new Date().toUTCString() } });
  space.hub.fail("cdn", { stallAfter: 8192 });
  await assertWhole(space, (await resolveModel(MODEL, space)).path);
  const [first, second] = space.hub.requests;
  assertEquals([first!.path, second!.path], [first!.path, first!.path]);
});

Deno.test("a stalled download is given up after the time limit, then taken up where it stalled", async () => {
  await using space = await createHubWorkspace({
    "models/owner/tiny": { files: { "config.json": "{}", [FILE]: WEIGHTS } },
  });
  space.hub.fail("cdn", { stallAfter: 40_000 });
  await assertWhole(space, (await resolveModel(MODEL, space)).path);
  assertEquals(ranges(space), [null, "bytes=40960-"]);
  space.hub.repositories["models/owner/tiny"]!.commit = "b".repeat(40);
  space.hub.fail("api", ...Array.from({ length: 2 }, () => ({ stallAfter: 0 })));
  await resolveModel(MODEL, space);
  assertStringIncludes(
    space.messages().at(-1)!,
    "the hub sent nothing for 0.25 s; using owner/tiny from the cache",
  );
});

Deno.test("too many requests: the hub says how long to wait, and that is how long it takes", async () => {
  for (const headers of [{ "Retry-After": "1" }, { RateLimit: '"api";r=0;t=1' }]) {
    await using space = await createHubWorkspace();
    space.hub.fail("api", { status: 429, headers: headers as Record<string, string> });
    const start = performance.now();
    await resolveModel(MODEL, space);
    const milliseconds = performance.now() - start;
    assert(milliseconds >= 990, `${milliseconds}`);
    assertStringIncludes(space.messages()[0]!, "answered 429: too many requests; trying again in 1 s");
  }
});

Deno.test("failures that don't pass are not repeated, and those that do only so often", async () => {
  await using space = await createHubWorkspace();
  space.hub.fail("api", { status: 400 });
  assertEquals((await assertRejects(() => resolveModel(MODEL, space), HubError)).kind, "unusable");
  assertEquals(space.hub.requests.length, 1);
  space.hub.fail("api", ...Array.from({ length: 3 }, () => ({ status: 502 })));
  const error = await assertRejects(() => resolveModel(MODEL, space), HubError);
  assertStringIncludes(error.message, "answered 502");
  assertEquals(space.hub.requests.length, 4);
});

Deno.test("a hub that can't be reached is given up sooner than one that answers", async () => {
  await using space = await createHubWorkspace();
  const settings = { ...space.settings, retries: 6, backOffMilliseconds: 300 };
  await space.hub[Symbol.asyncDispose]();
  const error = await assertRejects(() => resolveModel(MODEL, { ...space, settings }), HubError);
  assertStringIncludes(error.message, `no such directory here; ${settings.endpoint} can't be reached`);
  assertEquals(
    space.messages().length,
    1,
    "of two repetitions, the one after more than half a second is announced",
  );
});

Deno.test({
  name: "a full disk is named as such, and a download that can't fit does not start",
  ignore: Deno.build.os !== "linux", // /dev/full is Linux's
  async fn() {
    await using space = await createHubWorkspace();
    const blob = await blobPath(space);
    await Deno.mkdir(blob.slice(0, blob.lastIndexOf("/")), { recursive: true });
    await Deno.symlink("/dev/full", `${blob}.incomplete`);
    const error = await assertRejects(() => resolveModel(MODEL, space), HubError);
    assertEquals(error.kind, "disk");
    assertStringIncludes(
      error.message,
      `${FILE}: no room for its 200000 bytes; free some, or set HF_HUB_CACHE`,
    );

    space.hub.repositories["models/owner/tiny"] = {
      commit: "c".repeat(40),
      files: { "config.json": "{ }", [FILE]: WEIGHTS },
      claimed: { [FILE]: 2 ** 52 },
    };
    const before = new Map(space.hub.sent);
    const { message } = await assertRejects(() => resolveModel(MODEL, space), HubError);
    assertStringIncludes(message, "4294967296.0 MiB are to be fetched, but only ");
    assertEquals(space.hub.sent, before);
  },
});

Deno.test("two that fetch the same at once get the same files, and the bytes come once", async () => {
  await using space = await createHubWorkspace();
  const [first, second] = await Promise.all([resolveModel(MODEL, space), resolveModel(MODEL, space)]);
  assertEquals(first, second);
  await assertWhole(space, first.path);
  assertEquals(space.hub.sent.get(FILE), WEIGHTS.length);
});
