/** Models and records of the hub in the real commands. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type FakeHub, startHub } from "../hub/server.ts";
import { assertOneLine, assertRefuses, createWorkspace, trainFlags, type Workspace } from "./workspace.ts";

const [FIRST, SECOND] = ["1".repeat(40), "2".repeat(40)];

interface HubRun extends AsyncDisposable {
  workspace: Workspace;
  hub: FakeHub;
  env: Record<string, string>;
}

/** A workspace whose model and records are also on a hub: `owner/tiny`, and `owner/pairs` with two splits. */
async function createHubRun(): Promise<HubRun> {
  const workspace = await createWorkspace();
  const read = (path: string) => Deno.readFile(`${workspace.root}/${path}`);
  const files: Record<string, Uint8Array<ArrayBuffer>> = {};
  for (const name of await workspace.list("model")) files[name] = await read(`model/${name}`);
  const hub = startHub({
    "models/owner/tiny": { commit: FIRST, files },
    "datasets/owner/pairs": {
      commit: FIRST,
      files: {
        "kind/train.jsonl": await read("pairs.jsonl"),
        "kind/test.jsonl": await read("held_out.jsonl"),
      },
    },
  });
  return {
    workspace,
    hub,
    env: { HF_ENDPOINT: hub.endpoint, HF_HOME: `${workspace.root}/cache`, HF_TOKEN: "" },
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]();
      await workspace[Symbol.asyncDispose]();
    },
  };
}

const hubFlags = (keys: Record<string, string> = {}) =>
  trainFlags({
    "model.path": "owner/tiny",
    "data.train": "owner/pairs",
    "data.eval": "hf://datasets/owner/pairs/kind/test.jsonl",
    "output.directory": "out",
    "output.samples": 0,
    "training.steps": 2,
    "training.batch_size": 2,
    ...keys,
  });

Deno.test("train --dry-run shows the same for a model and records of the hub as for the same files here", async () => {
  await using run = await createHubRun();
  const { workspace, env } = run;
  const fromHub = await workspace.run("train", [...hubFlags(), "--dry-run"], env);
  assertEquals(fromHub.code, 0, fromHub.stderr);
  const localFlags = hubFlags({
    "model.path": "model",
    "data.train": "pairs.jsonl",
    "data.eval": "held_out.jsonl",
  });
  const fromFiles = await workspace.run("train", [...localFlags, "--dry-run"]);
  assertEquals(fromFiles.code, 0, fromFiles.stderr);
  assertEquals(fromHub.stdout, fromFiles.stdout.replace(/^(model +)model:/m, `$1owner/tiny@${FIRST}:`));
  assertStringIncludes(fromHub.stderr, "downloaded ");

  const requests = run.hub.requests.length;
  const offline = await workspace.run("train", [...hubFlags(), "--dry-run"], { ...env, HF_HUB_OFFLINE: "1" });
  assertEquals([offline.code, offline.stdout, offline.stderr], [0, fromHub.stdout, ""]);
  assertEquals(run.hub.requests.length, requests);
});

Deno.test("a run records its commits, and goes on with them when the branch has moved", async () => {
  await using run = await createHubRun();
  const { workspace, env, hub } = run;
  const first = await workspace.run("train", hubFlags(), env);
  assertEquals(first.code, 0, first.stderr);
  const config = await workspace.read("out/config.yaml");
  assertStringIncludes(config, `path: owner/tiny@${FIRST}\n`);
  assertStringIncludes(config, `- owner/pairs@${FIRST}\n`);
  assertStringIncludes(config, `eval: 'hf://datasets/owner/pairs@${FIRST}/kind/test.jsonl'\n`);
  assertEquals(await workspace.list("out/model"), await workspace.list("model"));

  const { files } = hub.repositories["models/owner/tiny"]!;
  hub.repositories["models/owner/tiny"] = { commit: SECOND, files: { ...files, "config.json": "{}" } };
  const { files: records } = hub.repositories["datasets/owner/pairs"]!;
  hub.repositories["datasets/owner/pairs"] = {
    commit: SECOND,
    files: { ...records, "kind/train.jsonl": "{}" },
  };
  for (const flags of [hubFlags(), ["--output.directory=out"]]) {
    const resumed = await workspace.run("train", [...flags, "--resume"], env);
    assertEquals(resumed.code, 0, resumed.stderr);
    assertEquals(await workspace.read("out/config.yaml"), config);
  }
  hub.repositories["models/owner/tiny"] = { commit: SECOND, files };
  const flags = [...hubFlags({ "model.path": "owner/tiny@main" }), "--resume"];
  const refused = await workspace.run("train", flags, env);
  assertEquals(refused.code, 1);
  assertStringIncludes(
    refused.stderr,
    `model.path was "owner/tiny@${FIRST}" and is "owner/tiny@${SECOND}" now`,
  );
});

Deno.test("generate and score take models and records of the hub", async () => {
  await using run = await createHubRun();
  const { workspace, env } = run;
  const calls = [
    ["generate", "--prompt=Anna asks", "--generation.max_tokens=4"],
    ["score", "--data.records=hf://datasets/owner/pairs/kind/test.jsonl"],
  ] as const;
  for (const [command, ...args] of calls) {
    const fromHub = await workspace.run(command, ["--model.path=owner/tiny", ...args], env);
    assertEquals(fromHub.code, 0, fromHub.stderr);
    const local = args.map((arg) =>
      arg.replace("hf://datasets/owner/pairs/kind/test.jsonl", "held_out.jsonl")
    );
    const fromFiles = await workspace.run(command, ["--model.path=model", ...local]);
    assertEquals(fromHub.stdout, fromFiles.stdout);
    assert(fromHub.stdout.length > 0);
  }
});

Deno.test("two downloads at once fetch everything once, and print where it is", async () => {
  await using run = await createHubRun();
  const { workspace, env, hub } = run;
  const names = ["owner/tiny", "hf://datasets/owner/pairs"];
  const results = await Promise.all([0, 1].map(() => workspace.run("download", names, env)));
  const cache = `${workspace.root}/cache/hub`;
  for (const { code, stdout, stderr } of results) {
    assertEquals(code, 0, stderr);
    assertEquals(stdout.trim().split("\n"), [
      `${cache}/models--owner--tiny/snapshots/${FIRST}`,
      `${cache}/datasets--owner--pairs/snapshots/${FIRST}/kind/train.jsonl`,
    ]);
  }
  const { files } = hub.repositories["models/owner/tiny"]!;
  assertEquals(hub.sent.get("model.safetensors"), (files["model.safetensors"] as Uint8Array).length);
});

Deno.test("what the hub refuses, and what download can't do, is one line", async () => {
  await using run = await createHubRun();
  const { workspace, env, hub } = run;
  const { files } = hub.repositories["models/owner/tiny"]!;
  hub.repositories["models/owner/small"] = { files };
  await assertRefuses(workspace, {
    command: "train",
    args: hubFlags({ "model.path": "owner/smal" }),
    env,
    parts: ["owner/smal: no such directory here; ", "no such model", "did you mean owner/small?"],
  });
  hub.repositories["models/owner/other"] = { files: { ...files, "config.json": '{ "model_type": "bert" }' } };
  const other = await workspace.run("generate", ["--model.path=owner/other", "--prompt=a"], env);
  assertOneLine(other, ["owner/other/config.json: ", "bert"]);
  assertEquals([...hub.sent.keys()], ["config.json"]);
  await assertRefuses(workspace, {
    command: "train",
    args: hubFlags({ "model.revision": "v1" }),
    env,
    parts: ["--model.revision: no key of this command; write it into model.path: owner/name@revision"],
  });
  const cases: [string[], string][] = [
    [[], "name what to download"],
    [
      ["--revision=v1", "owner/tiny"],
      "--revision=v1: unknown flag; a revision is written owner/name@revision",
    ],
    [["model"], "model: this is here already; wanted owner/name"],
    [["hf://datasets/owner"], "hf://datasets/owner: wanted hf://datasets/owner/name"],
    [["owner/tiny@main/x y"], "owner/tiny@main/x y: wanted a branch, tag or commit after the @"],
  ];
  for (const [args, part] of cases) {
    await assertRefuses(workspace, { command: "download", args, env, parts: [part] });
  }
  hub.fail("api", { status: 400 });
  assertOneLine(await workspace.run("download", ["owner/tiny"], env), ["owner/tiny: ", "answered 400"]);
});
