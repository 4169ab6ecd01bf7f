import {
  type Batch,
  type BatchOptions,
  createBatches,
  type DataPosition,
  epochsDone,
  startOfData,
} from "@tr/align/data";
import { assertEquals, assertThrows } from "@std/assert";

function take(options: BatchOptions, batches: number): Batch[] {
  const takeBatch = createBatches(options);
  const taken: Batch[] = [];
  let position: DataPosition = startOfData();
  for (let step = 0; step < batches; step++) {
    const batch = takeBatch(position);
    taken.push(batch);
    position = batch.next;
  }
  return taken;
}

const sorted = (batches: Batch[]): number[] =>
  batches.flatMap(({ indices }) => [...indices]).sort((a, b) => a - b);

Deno.test("createBatches shows every example once an epoch if batches divide the data", () => {
  const batches = take({ count: 12, size: 3, seed: 1 }, 12);
  for (const epoch of [0, 1, 2]) {
    assertEquals(
      sorted(batches.slice(4 * epoch, 4 * epoch + 4)),
      Array.from({ length: 12 }, (_, index) => index),
    );
  }
  assertEquals(batches[11]?.next, { epoch: 2, offset: 12 });
});

Deno.test("createBatches leaves the rest of an epoch out, and never mixes epochs", () => {
  const batches = take({ count: 7, size: 3, seed: 1 }, 6);
  const seen = [0, 2, 4].map((first) => sorted(batches.slice(first, first + 2)));
  for (const examples of seen) assertEquals(new Set(examples).size, 6);
  const positions = batches.map(({ next }) => [next.epoch, next.offset]);
  assertEquals(positions, [[0, 3], [0, 6], [1, 3], [1, 6], [2, 3], [2, 6]]);
});

Deno.test("createBatches fills a batch that is larger than the data from later epochs", () => {
  const batches = take({ count: 3, size: 5, seed: 1, shuffle: false }, 2);
  assertEquals(batches.map(({ indices }) => [...indices]), [[0, 1, 2, 0, 1], [2, 0, 1, 2, 0]]);
  assertEquals(batches[1]?.next, { epoch: 3, offset: 1 });
  const shuffled = take({ count: 3, size: 5, seed: 1 }, 3);
  const inOrder = shuffled.flatMap(({ indices }) => [...indices]);
  for (const epoch of [0, 1, 2, 3, 4]) {
    assertEquals(inOrder.slice(3 * epoch, 3 * epoch + 3).sort(), [0, 1, 2]);
  }
});

Deno.test("createBatches resumes from any saved position", () => {
  for (const [count, size] of [[7, 3], [12, 3], [3, 5]] as const) {
    const options = { count, size, seed: 9 };
    const whole = take(options, 10);
    for (let step = 1; step < 10; step++) {
      const saved = JSON.parse(JSON.stringify(whole[step - 1]!.next)) as DataPosition;
      assertEquals(createBatches(options)(saved), whole[step]!);
    }
  }
});

Deno.test("createBatches gives the same batch whatever it gave before", () => {
  const takeBatch = createBatches({ count: 7, size: 3, seed: 9 });
  const first = takeBatch(startOfData());
  takeBatch({ epoch: 5, offset: 3 });
  assertEquals(takeBatch(startOfData()), first);
});

Deno.test("createBatches refuses empty batches and positions of other data", () => {
  assertThrows(
    () => createBatches({ count: 0, size: 1, seed: 0 }),
    Error,
    "count is 0; wanted an integer from 1",
  );
  assertThrows(() => createBatches({ count: 1, size: 0, seed: 0 }), Error, "size is 0");
  const takeBatch = createBatches({ count: 5, size: 2, seed: 0 });
  assertThrows(() => takeBatch({ epoch: 0, offset: 6 }), Error, "offset of at most 5");
  assertThrows(() => takeBatch({ epoch: -1, offset: 0 }), Error, "Data position is epoch -1, offset 0");
});

Deno.test("epochsDone counts passes with the share of the one under way", () => {
  assertEquals(epochsDone({ epoch: 0, offset: 4 }, { count: 40 }), 0.1);
  assertEquals(epochsDone({ epoch: 0, offset: 40 }, { count: 40 }), 1);
  assertEquals(epochsDone({ epoch: 2, offset: 10 }, { count: 40 }), 2.25);
});
