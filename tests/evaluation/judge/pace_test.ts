import { assertEquals, assertRejects } from "@std/assert";
import { createPace, eachOf } from "../../../evaluation/judge/pace.ts";

/** A clock that stands still until someone sleeps, and then jumps to the first who wakes. */
export function fakeClock() {
  let time = 0;
  const sleepers: { at: number; wake: () => void }[] = [];
  let isJumping = false;
  const jump = async () => {
    isJumping = true;
    while (sleepers.length > 0) {
      for (let i = 0; i < 20; i++) await Promise.resolve(); // let all who are awake fall asleep first
      sleepers.sort((a, b) => a.at - b.at);
      const { at, wake } = sleepers.shift()!;
      time = Math.max(time, at);
      wake();
      for (let i = 0; i < 20; i++) await Promise.resolve();
    }
    isJumping = false;
  };
  return {
    now: () => time,
    sleep: (milliseconds: number) =>
      new Promise<void>((wake) => {
        sleepers.push({ at: time + milliseconds, wake });
        if (!isJumping) jump();
      }),
  };
}

Deno.test("createPace spaces requests evenly", async () => {
  const clock = fakeClock();
  const pace = createPace({ perMinute: 60, clock });
  const begun: number[] = [];
  await Promise.all(Array.from({ length: 4 }, () => pace.turn().then(() => begun.push(clock.now()))));
  assertEquals(begun, [0, 1000, 2000, 3000]);
});

Deno.test("createPace without a limit waits for nothing", async () => {
  const clock = fakeClock();
  const pace = createPace({ perMinute: null, clock });
  await pace.turn();
  await pace.turn();
  assertEquals(clock.now(), 0);
});

Deno.test("createPace holds all requests in a pause, and spaces them after it", async () => {
  const clock = fakeClock();
  const pace = createPace({ perMinute: 60, clock });
  const begun: number[] = [];
  await pace.turn();
  const waiting = Array.from({ length: 3 }, () => pace.turn().then(() => begun.push(clock.now())));
  pace.pause(10_000);
  pace.pause(2_000); // the longer one holds
  await Promise.all(waiting);
  assertEquals(begun, [10_000, 11_000, 12_000]);
});

Deno.test("eachOf works on so many at a time, and begins nothing after a failure", async () => {
  let [underWay, most] = [0, 0];
  const done: number[] = [];
  await eachOf([1, 2, 3, 4, 5], {
    concurrency: 2,
    async work(item) {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 2));
      underWay--;
      done.push(item);
    },
  });
  assertEquals([most, done.sort()], [2, [1, 2, 3, 4, 5]]);
  const tried: number[] = [];
  const work = (item: number) => {
    tried.push(item);
    return item === 2 ? Promise.reject(new Error("no")) : Promise.resolve();
  };
  await assertRejects(() => eachOf([1, 2, 3, 4], { concurrency: 1, work }), Error, "no");
  assertEquals(tried, [1, 2]);
});
