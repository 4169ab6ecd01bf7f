import { createBatches, mixtureCounts, mixtureOrder, startOfData } from "@tr/align/data";
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";

const source = (start: number, count: number, weight: number) => ({ start, count, weight });

Deno.test("mixtureCounts keeps the shares and exhausts the source that runs out first", () => {
  // By hand: 30 % of an epoch of n is at most 12, so n = 40.
  assertEquals(mixtureCounts([source(0, 12, 0.3), source(12, 100, 0.7)]), [12, 28]);
  assertEquals(mixtureCounts([source(0, 12, 3), source(12, 100, 7)]), [12, 28]);
  assertEquals(mixtureCounts([source(0, 5, 1), source(5, 5, 1), source(10, 7, 1)]), [5, 5, 5]);
  // 0.1 + 0.2 is not 0.3 in floating point; nothing is lost to that.
  assertEquals(mixtureCounts([source(0, 10, 0.1), source(10, 20, 0.2), source(30, 30, 0.3)]), [10, 20, 30]);
});

Deno.test("mixtureCounts refuses weights that draw nothing", () => {
  assertThrows(
    () => mixtureCounts([source(0, 3, 0), source(3, 3, 1)]),
    Error,
    "weight is 0; wanted a number above 0",
  );
  assertThrows(
    () => mixtureCounts([source(0, 3, 0.001), source(3, 3, 1)]),
    Error,
    "source 1 has weight 0.001 of 1.001, less than one record of an epoch of 3",
  );
});

const sources = [source(0, 4, 1), source(4, 10, 1)];

Deno.test("mixtureOrder draws each epoch's shares, and every record before any again", () => {
  const drawn: number[] = [];
  for (let epoch = 0; epoch < 5; epoch++) {
    const order = [...mixtureOrder(sources, { seed: 3, epoch })];
    assertEquals(order.filter((index) => index < 4).toSorted((a, b) => a - b), [0, 1, 2, 3]);
    assertEquals(order.length, 8);
    drawn.push(...order.filter((index) => index >= 4));
  }
  // Five epochs of four are two passes over ten.
  assertEquals(
    drawn.toSorted((a, b) => a - b),
    [4, 5, 6, 7, 8, 9, 10, 11, 12, 13].flatMap((index) => [index, index]),
  );
  assertNotEquals(drawn.slice(0, 10), [4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
});

Deno.test("mixtureOrder is a function of seed and epoch", () => {
  const of = (seed: number, epoch: number) => [...mixtureOrder(sources, { seed, epoch })];
  assertEquals(of(3, 1), of(3, 1));
  assertNotEquals(of(3, 1), of(3, 2));
  assertNotEquals(of(3, 1), of(4, 1));
});

Deno.test("mixtureOrder without shuffling lets sources take turns, each in its order", () => {
  const order = (
    epoch: number,
  ) => [...mixtureOrder([source(0, 2, 1), source(2, 8, 2)], { seed: 0, epoch, shuffle: false })];
  assertEquals(order(0), [2, 0, 3, 4, 1, 5]);
  assertEquals(order(1), [6, 0, 7, 8, 1, 9]);
  assertEquals(order(2), order(0));
});

Deno.test("createBatches of a mixture resumes at any position", () => {
  const takeBatch = createBatches({ count: 14, size: 3, seed: 1, mixture: sources });
  const batches: number[][] = [];
  const positions = [startOfData()];
  for (let i = 0; i < 6; i++) {
    const { indices, next } = takeBatch(positions.at(-1)!);
    batches.push([...indices]);
    positions.push(next);
  }
  assertEquals(positions[3], { epoch: 1, offset: 3 }); // eight records an epoch make two batches of three
  positions.slice(0, 6).forEach((position, i) => {
    const again = createBatches({ count: 14, size: 3, seed: 1, mixture: sources });
    assertEquals([...again(position).indices], batches[i]);
  });
  const first = [...mixtureOrder(sources, { seed: 1, epoch: 0 })];
  assertEquals([...batches[0]!, ...batches[1]!], first.slice(0, 6));
});
