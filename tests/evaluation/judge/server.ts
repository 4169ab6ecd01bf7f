/** A judge on this machine that answers as OpenAI's endpoint does, and fails on request. */

/** Something that a request meets with instead of its answer. */
export type Fault =
  | { status: number; headers?: Record<string, string>; body?: string }
  | { text: string }
  | { cut: true }
  | { stall: true };

/** A request as the judge saw it. */
export interface SeenRequest {
  path: string;
  authorization: string | null;
  body: {
    model: string;
    temperature: number;
    max_tokens?: number;
    messages: { role: string; content: string }[];
  };
}

/** The judge; disposing of it stops it. */
export interface FakeJudge extends AsyncDisposable {
  endpoint: string;
  requests: SeenRequest[];
  /** What it replies to a question. */
  reply: (question: string) => string | null;
  /** Makes the next requests fail, in this order. */
  fail(...faults: Fault[]): void;
  /** Requests that were under way at a time, at most. */
  mostUnderWay: number;
}

/** Starts a judge. */
export function startJudge(reply: FakeJudge["reply"]): FakeJudge {
  const faults: Fault[] = [];
  const releases: (() => void)[] = [];
  const judge: Omit<FakeJudge, typeof Symbol.asyncDispose> = {
    endpoint: "",
    requests: [],
    reply,
    fail: (...more) => faults.push(...more),
    mostUnderWay: 0,
  };
  let underWay = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    judge.mostUnderWay = Math.max(judge.mostUnderWay, ++underWay);
    try {
      const body = await request.json();
      const { pathname } = new URL(request.url);
      judge.requests.push({ path: pathname, authorization: request.headers.get("authorization"), body });
      await new Promise((resolve) => setTimeout(resolve, 1)); // long enough for others to come in between
      const fault = faults.shift();
      if (fault === undefined) return answer(judge.reply(body.messages[0].content));
      if ("status" in fault) return new Response(fault.body ?? "", fault);
      if ("text" in fault) return new Response(fault.text);
      if ("cut" in fault) return cutAnswer();
      await new Promise<void>((resolve) => releases.push(resolve));
      return new Response();
    } finally {
      underWay--;
    }
  });
  return Object.assign(judge, {
    endpoint: `http://127.0.0.1:${server.addr.port}/v1`,
    async [Symbol.asyncDispose]() {
      releases.forEach((release) => release());
      await server.shutdown();
    },
  });
}

function answer(content: string | null): Response {
  return Response.json({
    id: "1",
    object: "chat.completion",
    choices: [{ index: 0, message: { role: "assistant", content } }],
  });
}

/** Sends half of what it announces, and then the connection is gone. */
function cutAnswer(): Response {
  const half = new TextEncoder().encode('{"choices": [{"message": {"con');
  let sent = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (!sent) {
        sent = true;
        return controller.enqueue(half);
      }
      await new Promise((resolve) => setTimeout(resolve, 20)); // what was sent arrives before the cut
      controller.close(); // before Content-Length is reached, so the server drops the connection
    },
  }, { highWaterMark: 0 });
  const headers = { "Content-Type": "application/json", "Content-Length": String(2 * half.length) };
  return new Response(body, { headers });
}
