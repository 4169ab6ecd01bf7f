import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  createProgress,
  type ProgressOptions,
  renderProgress,
  renderProgressLine,
} from "../../cli/progress.ts";

const STATE = {
  step: 120,
  total: 500,
  loss: 0.65123,
  margin: 0.1342,
  tokensPerSecond: 2430,
  secondsLeft: 187,
};
const FULL = "120/500  █████░░░░░░░░░░░░░░░░░░░   24%  loss 0.6512  3m 07s left  margin 0.134  2.4k tok/s";

Deno.test("renderProgress draws everything where there is room", () => {
  assertEquals(renderProgress(STATE, 200), FULL);
  assertEquals(renderProgress(STATE, FULL.length), FULL);
});

Deno.test("renderProgress shortens the bar, then drops parts, the least important first", () => {
  assertEquals(
    renderProgress(STATE, FULL.length - 10),
    "120/500  ███░░░░░░░░░░░   24%  loss 0.6512  3m 07s left  margin 0.134  2.4k tok/s",
  );
  assertEquals(
    renderProgress(STATE, 79),
    "120/500  ██░░░░░░░░░░   24%  loss 0.6512  3m 07s left  margin 0.134  2.4k tok/s",
  );
  assertEquals(renderProgress(STATE, 60), `120/500  ████${"░".repeat(15)}   24%  loss 0.6512  3m 07s left`);
  assertEquals(renderProgress(STATE, 36), "120/500  █░░░░░░░   24%  loss 0.6512");
  assertEquals(renderProgress(STATE, 30), "120/500   24%  loss 0.6512");
  assertEquals(renderProgress(STATE, 9), "120/500");
  assertEquals(renderProgress(STATE, 3), "120");
});

Deno.test("renderProgress never exceeds its width", () => {
  for (let width = 0; width <= 120; width++) {
    assert(renderProgress(STATE, width).length <= width, `width ${width}`);
    const colored = renderProgress(STATE, width, { color: true });
    // deno-lint-ignore no-control-regex
    assertEquals(colored.replace(/\x1b\[\d+m/g, ""), renderProgress(STATE, width));
  }
});

Deno.test("renderProgress fills the bar from nothing to everything", () => {
  assertEquals(renderProgress({ step: 0, total: 10 }, 40), "0/10  ░░░░░░░░░░░░░░░░░░░░░░░░    0%");
  assertEquals(renderProgress({ step: 10, total: 10 }, 41), "10/10  ████████████████████████  100%");
  assertEquals(renderProgress({ step: 999, total: 1000 }, 50), "999/1000  ███████████████████████░   99%");
  assertEquals(renderProgress({ step: 0, total: 0 }, 9), "0/0    0%");
});

Deno.test("renderProgress colours on request only", () => {
  assert(!renderProgress(STATE, 100).includes("\x1b"));
  // deno-lint-ignore no-control-regex
  assertMatch(renderProgress(STATE, 100, { color: true }), /\x1b\[32m█+\x1b\[0m\x1b\[2m░+\x1b\[0m/);
});

Deno.test("renderProgressLine writes a plain line", () => {
  assertEquals(
    renderProgressLine(STATE),
    "step 120/500   24%  loss 0.6512  3m 07s left  margin 0.134  2.4k tok/s",
  );
});

/** A progress display whose clock the test sets and whose output it reads. */
function display(options: ProgressOptions) {
  const written: string[] = [];
  const clock = { milliseconds: 0 };
  const progress = createProgress({
    write: (text) => written.push(text),
    now: () => clock.milliseconds,
    columns: () => 61,
    color: false,
    ...options,
  });
  const stepAt = (milliseconds: number, step: number, total = 100) => {
    clock.milliseconds = milliseconds;
    progress.update({ step, total });
  };
  return { written, progress, stepAt };
}

Deno.test("createProgress redraws a terminal's line at most ten times a second", () => {
  const { written, progress, stepAt } = display({ isTerminal: true });
  for (let step = 1; step <= 50; step++) stepAt(10 * step, step); // 0.5 s of steps at 10 ms
  assertEquals(written.length, 5);
  for (const text of written) assert(text.startsWith("\r\x1b[K") && !text.includes("\n"));
  progress.finish();
  assertEquals(written.slice(5).map((text) => text.trim().split(" ")[0]?.replace("\x1b[K", "")), [
    "50/100",
    "",
  ]);
  assertEquals(written.at(-1), "\n");
});

Deno.test("createProgress leaves the last column of a terminal empty", () => {
  const { written, stepAt } = display({ isTerminal: true, columns: () => 30 });
  stepAt(0, 1);
  assertEquals(written[0]?.replace("\r\x1b[K", "").length, 29);
});

Deno.test("createProgress always shows a terminal's last step, once", () => {
  const { written, progress, stepAt } = display({ isTerminal: true });
  stepAt(0, 99);
  stepAt(1, 100);
  progress.finish();
  progress.finish();
  assertEquals(written.length, 3);
  assertMatch(written[1]!, /100\/100 .* 100%/);
  assertEquals(written[2], "\n");
});

Deno.test("createProgress writes plain lines about every ten seconds elsewhere, with the first and the last", () => {
  const { written, progress, stepAt } = display({ isTerminal: false });
  for (let step = 1; step <= 25; step++) stepAt(1000 * step, step, 26);
  assertEquals(written.map((line) => line.split("/")[0]), ["step 1", "step 11", "step 21"]);
  stepAt(25_500, 26, 26);
  progress.finish();
  assertEquals(written.slice(3).map((line) => line.split("/")[0]), ["step 26"]);
  for (const line of written) assert(line.endsWith("\n") && !line.includes("\x1b"));
});

Deno.test("createProgress shows where a run stopped early", () => {
  const { written, progress, stepAt } = display({ isTerminal: false });
  stepAt(0, 1);
  stepAt(1000, 2);
  progress.finish();
  assertEquals(written.map((line) => line.split("/")[0]), ["step 1", "step 2"]);
});

Deno.test("createProgress tells the time left from the steps it has seen", () => {
  const { written, stepAt } = display({ isTerminal: true });
  stepAt(60_000, 41); // a resumed run, whose first step was slow
  stepAt(62_000, 42);
  assert(!written[0]?.includes("left"));
  assert(written[1]?.includes("1m 56s left"), written[1]); // 58 steps of 2 s
});

Deno.test("createProgress prints messages above the bar", () => {
  const terminal = display({ isTerminal: true });
  terminal.stepAt(0, 1);
  terminal.progress.print("saved");
  assertEquals(terminal.written[1], "\r\x1b[Ksaved\n");
  assertEquals(terminal.written[2], terminal.written[0]);
  const plain = display({ isTerminal: false });
  plain.stepAt(0, 1);
  plain.progress.print("saved");
  assertEquals(plain.written.slice(1), ["saved\n"]);
});

Deno.test("createProgress that was never updated finishes silently", () => {
  const { written, progress } = display({ isTerminal: true });
  progress.finish();
  assertEquals(written, []);
});

Deno.test("renderProgress counts a download in bytes, with its rate", () => {
  const MiB = 2 ** 20;
  const state = {
    step: 64 * MiB,
    total: 256 * MiB,
    unit: "bytes",
    stepsPerSecond: 12.5 * MiB,
    secondsLeft: 15,
  } as const;
  assertEquals(
    renderProgress(state, 100),
    "64.0 MiB/256.0 MiB  ██████░░░░░░░░░░░░░░░░░░   25%  12.5 MiB/s  15s left",
  );
  assertEquals(
    renderProgressLine(state),
    "downloaded 64.0 MiB/256.0 MiB   25%  12.5 MiB/s  15s left",
  );
});
