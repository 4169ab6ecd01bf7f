import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ChatOptions, createChatClient } from "../../../evaluation/judge/chat_client.ts";
import { type FakeJudge, type Fault, startJudge } from "./server.ts";

const KEY = "sk-secret-key";

function clientOf({ endpoint }: FakeJudge, options: Partial<ChatOptions> = {}) {
  return createChatClient({
    endpoint,
    key: KEY,
    model: "judge-1",
    maxTokens: 64,
    requestsPerMinute: null,
    backOff: 1,
    ...options,
  });
}

Deno.test("createChatClient asks as OpenAI is asked, at temperature 0", async () => {
  await using judge = startJudge((question) => `You said ${question}`);
  assertEquals(await clientOf(judge)("Hello"), "You said Hello");
  assertEquals(judge.requests, [{
    path: "/v1/chat/completions",
    authorization: `Bearer ${KEY}`,
    body: {
      model: "judge-1",
      messages: [{ role: "user", content: "Hello" }],
      temperature: 0,
      max_tokens: 64,
    },
  }]);
  await clientOf(judge, { key: null, maxTokens: null, endpoint: `${judge.endpoint}/` })("Hello");
  const last = judge.requests.at(-1)!;
  assertEquals([last.path, last.authorization, "max_tokens" in last.body], [
    "/v1/chat/completions",
    null,
    false,
  ]);
});

const PASSING: [string, Fault][] = [
  ["a rate limit", { status: 429 }],
  ["a rate limit that says how long", { status: 429, headers: { "Retry-After": "0.01" } }],
  ["a failure of the server", { status: 500, body: "<html>oops</html>" }],
  ["an overloaded server", { status: 529 }],
  ["a cut", { cut: true }],
  ["nonsense", { text: "<html>welcome</html>" }],
  ["JSON that is no chat", { text: '{"choices": []}' }],
  ["JSON that is null", { text: "null" }],
];

for (const [what, fault] of PASSING) {
  Deno.test(`createChatClient asks again after ${what}`, async () => {
    await using judge = startJudge(() => "Verdict: A");
    judge.fail(fault, fault);
    assertEquals(await clientOf(judge)("?"), "Verdict: A");
    assertEquals(judge.requests.length, 3);
    judge.fail(fault, fault, fault);
    const error = await assertRejects(() => clientOf(judge, { attempts: 3 })("?"), Error, "after 3 attempts");
    assert(error.message.startsWith(`${judge.endpoint}/chat/completions: `), error.message);
  });
}

Deno.test("createChatClient asks again where no answer comes in time", async () => {
  await using judge = startJudge(() => "Verdict: A");
  judge.fail({ stall: true });
  assertEquals(await clientOf(judge, { timeout: 200 })("?"), "Verdict: A");
  judge.fail({ stall: true });
  await assertRejects(
    () => clientOf(judge, { timeout: 100, attempts: 1 })("?"),
    Error,
    "no answer within 0.1 s",
  );
});

Deno.test("createChatClient honours Retry-After for all requests, in seconds or as a date", async () => {
  for (const value of ["30", new Date(30_000).toUTCString()]) {
    await using judge = startJudge(() => "ok");
    let time = 0;
    const waits: number[] = [];
    const clock = {
      now: () => time,
      sleep(milliseconds: number) {
        waits.push(milliseconds);
        time += milliseconds;
        return Promise.resolve();
      },
    };
    const messages: string[] = [];
    const ask = clientOf(judge, { clock, onMessage: (message) => messages.push(message) });
    judge.fail({ status: 429, headers: { "Retry-After": value } });
    await ask("?");
    assertEquals([waits, time], [[30_000], 30_000]);
    assertEquals(messages, [`${judge.endpoint}/chat/completions: answered 429; trying again in 30 s`]);
  }
});

Deno.test("createChatClient gives up at once where waiting is no use, and never says the key", async () => {
  await using judge = startJudge(() => "ok");
  const body = JSON.stringify({ error: { message: `Incorrect API key provided: ${KEY}` } });
  const cases: [Fault, string][] = [
    [{ status: 401, body }, "answered 401 (Incorrect API key provided: …); check the key"],
    [{ status: 404 }, "answered 404; check the endpoint's address and the model's name"],
    [{ status: 400, body: '{"error": "max_tokens is too large"}' }, "answered 400 (max_tokens is too large)"],
    [
      { status: 429, body: '{"error": {"message": "No money", "code": "insufficient_quota"}}' },
      "answered 429 (No money)",
    ],
    [{ status: 429, headers: { "Retry-After": "86400" } }, "answered 429; the replies up to here are kept"],
  ];
  for (const [fault, said] of cases) {
    const before = judge.requests.length;
    judge.fail(fault);
    const { message } = await assertRejects(() => clientOf(judge)("?"), Error, said);
    assert(!message.includes(KEY), message);
    assertEquals(judge.requests.length, before + 1);
  }
  judge.fail({ status: 401 });
  await assertRejects(() => clientOf(judge, { key: null })("?"), Error, "it wants a key");
});

Deno.test("createChatClient says where nothing answers", async () => {
  const ask = createChatClient({
    endpoint: "http://127.0.0.1:9/v1",
    key: null,
    model: "m",
    maxTokens: null,
    requestsPerMinute: null,
    attempts: 2,
    backOff: 1,
  });
  await assertRejects(() => ask("?"), Error, "http://127.0.0.1:9/v1/chat/completions: can't be reached (");
});

Deno.test("createChatClient takes a reply without content for an empty one", async () => {
  await using judge = startJudge(() => null);
  assertEquals(await clientOf(judge)("?"), "");
});
