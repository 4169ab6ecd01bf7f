import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HubError, type HubErrorKind, resolveData, resolveModel } from "../../hub/mod.ts";
import { COMMIT, hashesOf, TOKEN } from "./server.ts";
import { createHubWorkspace, FILES, type HubWorkspace, pseudoRandomBytes, WEIGHTS } from "./workspace.ts";

const MODEL = "owner/tiny";
const WANTED = [
  "chat_template.jinja",
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "special_tokens_map.json",
  "tokenizer.json",
  "tokenizer_config.json",
];

async function assertFails(
  { settings, onEvent }: HubWorkspace,
  name: string,
  { kind, parts }: { kind: HubErrorKind; parts: string[] },
): Promise<void> {
  const error = await assertRejects(() => resolveModel(name, { settings, onEvent }), HubError);
  assert(error.message.startsWith(`${name}: `), error.message);
  assertEquals(error.message.split("\n").length, 1);
  for (const part of parts) assertStringIncludes(error.message, part);
  assertEquals(error.kind, kind, error.message);
}

Deno.test("resolveModel leaves a path alone, and what can't be an id, and asks nobody", async () => {
  await using space = await createHubWorkspace();
  const { settings } = space;
  const here = Deno.cwd();
  const directory = await Deno.makeTempDir();
  await Deno.mkdir(`${directory}/owner/tiny`, { recursive: true });
  Deno.chdir(directory);
  try {
    for (const name of [MODEL, directory, "./absent", "/absent/model", "a/b/c", "model", "~/model"]) {
      assertEquals(await resolveModel(name, { settings }), { path: name, source: name });
    }
  } finally {
    Deno.chdir(here);
    await Deno.remove(directory, { recursive: true });
  }
  assertEquals(space.hub.requests, []);
  assertEquals((await resolveModel(`hf://${MODEL}`, { settings })).source, `${MODEL}@${COMMIT}`);
});

Deno.test("resolveModel fetches what a model is read from into the cache's usual layout", async () => {
  await using space = await createHubWorkspace();
  const { settings, hub } = space;
  hub.pageSize = 4; // the listing comes in several pages
  const { path, source } = await resolveModel(MODEL, { settings });
  assertEquals(source, `${MODEL}@${COMMIT}`);
  assertEquals(path, `${settings.cache}/models--owner--tiny/snapshots/${COMMIT}`);
  for (const name of WANTED) {
    const expected = FILES[name]!;
    const bytes = typeof expected === "string" ? new TextEncoder().encode(expected) : expected;
    assertEquals(await Deno.readFile(`${path}/${name}`), bytes, name);
  }
  // Layout as huggingface_hub 2.0.0 for Python writes it, hashes by Web Crypto.
  const root = "hub/models--owner--tiny";
  const { sha256 } = await hashesOf(WEIGHTS);
  assertEquals(await Deno.readLink(`${path}/model.safetensors`), `../../blobs/${sha256}`);
  const config = await hashesOf(new TextEncoder().encode(FILES["config.json"] as string));
  assertEquals(await Deno.readLink(`${path}/config.json`), `../../blobs/${config.git}`);
  assertEquals(await Deno.readTextFile(`${settings.cache}/models--owner--tiny/refs/main`), COMMIT);
  const cached = await space.cached();
  assertEquals(cached.filter((name) => !name.includes("/blobs/")), [
    `${root}/refs/main`,
    ...WANTED.map((name) => `${root}/snapshots/${COMMIT}/${name}`),
    `${root}/trees/${COMMIT}.json`,
  ]);
  assertEquals(cached.filter((name) => name.includes("/blobs/")).length, WANTED.length);
  assertEquals([...hub.sent.keys()].sort(), WANTED);
});

Deno.test("resolveModel names a small file by git's SHA-1", async () => {
  await using space = await createHubWorkspace({
    "models/owner/tiny": { files: { "config.json": "hello\n", "model.safetensors": "x" } },
  });
  const { path } = await resolveModel(MODEL, space);
  // printf 'hello\n' | git hash-object --stdin
  assertEquals(
    await Deno.readLink(`${path}/config.json`),
    "../../blobs/ce013625030ba8dba906f756967f9e9ca394464a",
  );
});

Deno.test("resolveModel asks only what a branch means when it has fetched it, and nothing for a commit", async () => {
  await using space = await createHubWorkspace();
  const { settings, hub } = space;
  const first = await resolveModel(MODEL, { settings });
  hub.requests.splice(0);
  assertEquals(await resolveModel(MODEL, { settings }), first);
  assertEquals(hub.requests.map(({ path }) => path), ["/api/models/owner/tiny/revision/main"]);
  hub.requests.splice(0);
  assertEquals(await resolveModel(`${MODEL}@${COMMIT}`, { settings }), first);
  assertEquals(hub.requests, []);
});

Deno.test("resolveModel takes what a revision means now, also one with slashes", async () => {
  await using space = await createHubWorkspace();
  const { hub, settings } = space;
  await resolveModel(MODEL, space);
  hub.sent.clear();
  const moved = "f".repeat(40);
  hub.repositories["models/owner/tiny"]!.commit = moved;
  hub.repositories["models/owner/tiny"]!.refs = ["main", "refs/pr/1"];
  for (const name of [MODEL, `${MODEL}@refs/pr/1`]) {
    assertEquals((await resolveModel(name, space)).source, `${MODEL}@${moved}`);
  }
  assertEquals(hub.sent.size, 0, "the files have not changed, so their blobs are used again");
  assertEquals(await Deno.readTextFile(`${settings.cache}/models--owner--tiny/refs/refs/pr/1`), moved);
});

Deno.test("resolveModel fetches the shards that the index names, and only these", async () => {
  const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const index = JSON.stringify({ weight_map: { a: shards[0], b: shards[1], c: shards[0] } });
  const files: typeof FILES = {
    ...FILES,
    "model.safetensors.index.json": index,
    [shards[0]!]: pseudoRandomBytes(3001),
    [shards[1]!]: pseudoRandomBytes(3002),
  };
  delete files["model.safetensors"];
  await using space = await createHubWorkspace({ "models/owner/tiny": { files } });
  const { path } = await resolveModel(MODEL, space);
  const names = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
  const small = WANTED.filter((name) => name !== "model.safetensors");
  assertEquals(names, [...small, ...shards, "model.safetensors.index.json"].sort());
  delete files[shards[1]!];
  space.hub.repositories["models/owner/tiny"]!.commit = "a".repeat(40);
  await assertFails(space, MODEL, {
    kind: "unusable",
    parts: [`names files that are not there: ${shards[1]}`],
  });
});

Deno.test("resolveModel refuses repositories without safetensors and says why, before it fetches anything", async () => {
  const config = { "config.json": "{}" };
  await using space = await createHubWorkspace({
    "models/owner/pickle": { files: { ...config, "pytorch_model.bin": "x" } },
    "models/owner/gguf": { files: { ...config, "model-q4.gguf": "x" } },
    "models/owner/folder": { files: { "inner/config.json": "{}" } },
  });
  const cases: Record<string, string[]> = {
    "owner/pickle": ["only as a pickle (pytorch_model.bin)", "run code", "convert", "owner/pickle@refs/pr/N"],
    "owner/gguf": ["neither model.safetensors nor model.safetensors.index.json, only model-q4.gguf"],
    "owner/folder": ["no config.json but inner/config.json"],
  };
  for (const [name, parts] of Object.entries(cases)) {
    await assertFails(space, name, { kind: "unusable", parts });
  }
  assertEquals(space.hub.sent.size, 0);
});

Deno.test("resolveModel has the configuration checked before it fetches weights", async () => {
  await using space = await createHubWorkspace();
  const checkConfig = (text: string, name: string) => {
    throw new Error(`${name}: ${text.trim()}`);
  };
  const options = { settings: space.settings, checkConfig };
  const { message } = await assertRejects(() => resolveModel(MODEL, options), Error);
  assertEquals(message, `${MODEL}/config.json: ${String(FILES["config.json"]).trim()}`);
  assertEquals([...space.hub.sent.keys()], ["config.json"]);
});

Deno.test("resolveModel says what is missing and what is near", async () => {
  await using space = await createHubWorkspace();
  await assertFails(space, "owner/tin", {
    kind: "missing",
    parts: ["no such directory here; ", "has no such model, or it is private", "did you mean owner/tiny?"],
  });
  await assertFails(space, "else/tiny", { kind: "missing", parts: ["did you mean owner/tiny?"] });
  await assertFails(space, `${MODEL}@v2`, { kind: "missing", parts: ["no revision v2; it has main"] });
  const settings = { ...space.settings, token: TOKEN };
  await assertFails({ ...space, settings }, "owner/absent", { kind: "missing", parts: ["no access to it"] });
});

Deno.test("resolveModel sends the token to the hub and not to where files are stored", async () => {
  await using space = await createHubWorkspace();
  const { hub } = space;
  hub.repositories["models/owner/tiny"]!.access = "private";
  await assertFails(space, MODEL, { kind: "missing", parts: ["private and HF_TOKEN is not set"] });
  hub.requests.splice(0);
  await resolveModel(MODEL, { settings: { ...space.settings, token: TOKEN } });
  for (const { part, authorization } of hub.requests) {
    assertEquals(authorization, part === "cdn" ? null : `Bearer ${TOKEN}`);
  }
  assert(hub.requests.some(({ part }) => part === "cdn"));
});

Deno.test("resolveModel says how to get access to gated models, and that a token is refused", async () => {
  await using space = await createHubWorkspace();
  const { hub } = space;
  hub.repositories["models/owner/tiny"]!.access = "gated";
  const parts = ["gated", `accept its conditions at ${hub.endpoint}/owner/tiny`, "HF_TOKEN"];
  await assertFails(space, MODEL, { kind: "denied", parts });
  const withToken = (token: string) => ({ ...space, settings: { ...space.settings, token } });
  await assertFails(withToken(TOKEN), MODEL, { kind: "denied", parts });
  await assertFails(withToken("hf_old"), MODEL, { kind: "denied", parts: ["refuses the token", "HF_TOKEN"] });
});

Deno.test("resolveModel without network uses what it has and says so", async () => {
  await using space = await createHubWorkspace();
  const { settings, onEvent, hub } = space;
  const offline = { ...settings, offline: true };
  await assertFails({ ...space, settings: offline }, MODEL, {
    kind: "unreachable",
    parts: ["HF_HUB_OFFLINE"],
  });
  assertEquals(hub.requests, []);
  const online = await resolveModel(MODEL, { settings });
  hub.requests.splice(0);
  assertEquals(await resolveModel(MODEL, { settings: offline, onEvent }), online);
  assertEquals([hub.requests, space.events], [[], []]);

  hub.fail("api", { status: 503 }, { status: 503 });
  assertEquals(await resolveModel(MODEL, { settings, onEvent }), online);
  await hub[Symbol.asyncDispose]();
  assertEquals(await resolveModel(MODEL, { settings, onEvent }), online);
  const [unavailable, down] = space.messages();
  assertStringIncludes(unavailable!, "answered 503; using owner/tiny from the cache");
  assertStringIncludes(down!, `can't be reached (`);
  assertStringIncludes(down!, `using owner/tiny from the cache, commit ${COMMIT}`);
  await assertFails(space, "owner/other", {
    kind: "unreachable",
    parts: ["can't be reached", "no such directory"],
  });

  await Deno.remove(`${online.path}/tokenizer.json`);
  const parts = ["has it in part; missing: tokenizer.json"];
  await assertFails({ ...space, settings: offline }, MODEL, { kind: "unreachable", parts });
});

Deno.test("resolveModel without network uses a cache that has no list of the commit's files", async () => {
  await using space = await createHubWorkspace();
  const { settings } = space;
  const online = await resolveModel(MODEL, { settings });
  await Deno.remove(`${settings.cache}/models--owner--tiny/trees`, { recursive: true });
  assertEquals(await resolveModel(MODEL, { settings: { ...settings, offline: true } }), online);
});

Deno.test("resolveData finds files by what they are for, by name, and leaves paths alone", async () => {
  const records = '{"prompt": "a", "chosen": "b", "rejected": "c"}\n';
  await using space = await createHubWorkspace({
    "datasets/owner/pairs": {
      files: {
        "README.md": "pairs",
        "dataset_info.json": "{}",
        "data/train-00000-of-00002.jsonl": records,
        "data/train-00001-of-00002.jsonl": records + records,
        "data/test.jsonl": records + records + records,
      },
    },
  });
  const options = { ...space, extensions: [".jsonl", ".json"] };
  const find = async (name: string, purpose: "train" | "eval" | "any" = "any") => {
    const { paths, source } = await resolveData(name, { ...options, purpose });
    const prefix = `${space.settings.cache}/datasets--owner--pairs/snapshots/${COMMIT}/`;
    return { paths: paths.map((path) => path.replace(prefix, "")), source };
  };
  assertEquals(await find("owner/pairs", "train"), {
    paths: ["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl"],
    source: `owner/pairs@${COMMIT}`,
  });
  assertEquals((await find("owner/pairs@main", "eval")).paths, ["data/test.jsonl"]);
  assertEquals(await find("hf://datasets/owner/pairs@main/data/test.jsonl"), {
    paths: ["data/test.jsonl"],
    source: `hf://datasets/owner/pairs@${COMMIT}/data/test.jsonl`,
  });
  const [path] = (await resolveData("hf://datasets/owner/pairs/data/test.jsonl", options)).paths;
  assertEquals(await Deno.readTextFile(path!), records + records + records);
  assertEquals(await find("absent/pairs.jsonl"), {
    paths: ["absent/pairs.jsonl"],
    source: "absent/pairs.jsonl",
  });

  const failures: Record<string, string> = {
    "owner/pairs": "several files may hold the records (data/test.jsonl, data/train-00000",
    "hf://datasets/owner/pairs/test.jsonl": "there is no test.jsonl in it, but data/test.jsonl",
    "hf://datasets/owner/pairs/README.md": "wanted a file name that ends in .jsonl, .json",
    "owner/absent": "no such file here; ",
    "hf://owner/pairs": "data is named hf://datasets/owner/name/file",
  };
  for (const [name, part] of Object.entries(failures)) {
    const { message } = await assertRejects(() => resolveData(name, options), Error);
    assertStringIncludes(message, `${name}: `);
    assertStringIncludes(message, part);
  }
});
