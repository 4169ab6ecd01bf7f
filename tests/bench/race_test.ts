import { assertEquals } from "@std/assert";
import { race } from "../../bench/peers/race.ts";
import { sampleOf } from "../../bench/peers/product.ts";

Deno.test("race pairs times of the same round, and compares what was computed first", async () => {
  const turns: string[] = [];
  const contender = (
    name: string,
    { time, values }: { time: (call: number) => number; values: number[] },
  ) => {
    let call = 0;
    return {
      name,
      repeat(count: number) {
        turns.push(`${name} ${count}`);
        return Promise.resolve({ milliseconds: time(call++), values });
      },
      stop() {},
    };
  };
  const [own, other] = await race([
    // A machine that is twice as slow from round to round makes no difference to the ratio.
    contender("own", { time: (call) => 300 * 2 ** call, values: [1, 2] }),
    contender("other", { time: (call) => 900 * 2 ** call, values: [1, 2.5] }),
  ], { rounds: 2, first: 3 });
  // Three times for the values, once to see how long that takes, then samples of 600 ms, the other first in round two.
  assertEquals(turns, ["own 3", "own 1", "other 3", "other 1", "own 1", "other 1", "other 1", "own 1"]);
  assertEquals(own!.ratio, { median: 1, min: 1, max: 1, count: 2 });
  assertEquals(other!.ratio, { median: 3, min: 3, max: 3, count: 2 });
  assertEquals(other!.timing, { median: 5400, min: 3600, max: 7200, count: 2 });
  assertEquals([own!.distance, other!.distance], [0, 0.5]);
});

Deno.test("sampleOf takes the first, the last and one in the middle", () => {
  assertEquals(sampleOf(Array.from({ length: 100 }, (_, i) => i)), [0, 57, 99]);
});
