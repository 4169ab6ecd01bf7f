import { assertEquals, assertRejects } from "@std/assert";
import { createChatClient } from "../../../evaluation/judge/chat_client.ts";
import { judgeMatches, type Match } from "../../../evaluation/judge/judge.ts";
import { openReplies } from "../../../evaluation/judge/reply_file.ts";
import { type FakeJudge, startJudge } from "./server.ts";

/** Asks with the two answers and nothing else. */
const write = ({ answerA, answerB }: { answerA: string; answerB: string }) => `${answerA}|${answerB}`;

async function withReplies<T>(work: (path: string) => Promise<T>): Promise<T> {
  const directory = await Deno.makeTempDir();
  try {
    return await work(`${directory}/replies.jsonl`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function judgeWith(
  judge: FakeJudge,
  path: string,
  matches: Match[],
  { model = "judge-1", attempts = 2 } = {},
) {
  const chat = { endpoint: judge.endpoint, model, maxTokens: 16 };
  const ask = createChatClient({ ...chat, key: null, requestsPerMinute: null, backOff: 1, attempts });
  const replies = await openReplies(path);
  const progress: [number, number][] = [];
  try {
    const judgements = await judgeMatches(matches, {
      ask,
      write,
      chat,
      replies,
      concurrency: 3,
      onProgress: (done, total) => progress.push([done, total]),
    });
    return { judgements, outcomes: judgements.map(({ outcome }) => outcome), progress };
  } finally {
    replies.close();
  }
}

const match = (answer: string, other: string) => ({ prompt: "?", answer, other });

/** Prefers the answer with more exclamation marks. */
function countMarks(question: string): string {
  const [a, b] = question.split("|").map((answer) => answer.split("!").length) as [number, number];
  return `Verdict: ${a > b ? "A" : a < b ? "B" : "tie"}`;
}

Deno.test("judgeMatches asks in both orders and joins what they say", async () => {
  await using judge = startJudge(countMarks);
  await withReplies(async (path) => {
    const { outcomes } = await judgeWith(judge, path, [
      match("good!", "bad"),
      match("bad", "good!"),
      match("a", "b"),
    ]);
    assertEquals(outcomes, [1, 0, 0.5]);
    // The first two matches ask the same two questions.
    assertEquals(judge.requests.map(({ body }) => body.messages[0]!.content).sort(), [
      "a|b",
      "bad|good!",
      "b|a",
      "good!|bad",
    ]);
    assertEquals(judge.mostUnderWay > 1 && judge.mostUnderWay <= 3, true);
  });
});

Deno.test("judgeMatches takes a preference for a position for a tie, and asks nobody about equal answers", async () => {
  await using judge = startJudge(() => "Verdict: A");
  await withReplies(async (path) => {
    const { outcomes, judgements } = await judgeWith(judge, path, [match("x", "y"), match("z", "z")]);
    assertEquals(outcomes, [0.5, 0.5]);
    assertEquals(judgements[0]!.orders, [1, 0]);
    assertEquals(judge.requests.length, 2);
  });
});

Deno.test("judgeMatches tells a verdict that can't be read from a tie", async () => {
  await using judge = startJudge((question) => question.startsWith("x") ? "I like both." : "Verdict: B");
  await withReplies(async (path) => {
    const { judgements } = await judgeWith(judge, path, [match("x", "y")]);
    assertEquals(judgements, [{ outcome: null, orders: [null, 1], replies: ["I like both.", "Verdict: B"] }]);
  });
});

Deno.test("judgeMatches asks only what is missing after a failure, and nothing the third time", async () => {
  await using judge = startJudge(countMarks);
  const matches = Array.from({ length: 8 }, (_, i) => match(`${i}!`, `${i}`));
  await withReplies(async (path) => {
    judge.reply = (question) => {
      if (judge.requests.length > 6) {
        judge.fail({ status: 500 }, { status: 500 }, { status: 500 }, { status: 500 });
      }
      return countMarks(question);
    };
    await assertRejects(() => judgeWith(judge, path, matches), Error, "answered 500");
    const kept = (await Deno.readTextFile(path)).trimEnd().split("\n").length;
    assertEquals(kept > 0 && kept < 16, true, `${kept} kept`);

    judge.reply = countMarks;
    const before = judge.requests.length;
    const { outcomes, progress } = await judgeWith(judge, path, matches, { attempts: 6 });
    assertEquals(outcomes, Array(8).fill(1));
    assertEquals(progress.at(-1), [16, 16]);
    const asked = new Set(judge.requests.slice(before).map(({ body }) => body.messages[0]!.content));
    assertEquals(asked.size, 16 - kept);

    const all = judge.requests.length;
    assertEquals((await judgeWith(judge, path, matches)).outcomes, outcomes);
    assertEquals(judge.requests.length, all);
    // Another judge is asked anew.
    await judgeWith(judge, path, matches, { model: "judge-2" });
    assertEquals(judge.requests.length, all + 16);
  });
});
