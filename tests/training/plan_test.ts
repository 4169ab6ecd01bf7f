import { assert, assertEquals, assertThrows } from "@std/assert";
import { fitShape } from "../../data/buckets.ts";
import { measureGroups } from "../../data/pack.ts";
import { createBatches, startOfData } from "../../data/position.ts";
import { longestSequence, mismatchedGroups, planBatches } from "../../training/plan.ts";
import { completionExamples, microBatches, pairExamples } from "../../training/records.ts";

const repeat = (id: number, count: number) => new Int32Array(count).fill(id);
/** Pairs whose lengths differ much: 2 to 61 tokens a completion. */
const pairs = pairExamples(Array.from({ length: 30 }, (_, i) => ({
  line: i + 1,
  prompt: repeat(1, 1 + (i * 7) % 13),
  chosen: repeat(2, 2 + (i * i * 5) % 60),
  rejected: repeat(3, 2 + (i * 11) % 17),
})));
const completions = completionExamples(Array.from({ length: 20 }, (_, i) => ({
  line: i + 1,
  prompt: repeat(100 + i, 1 + (i * 7) % 13),
  completion: repeat(200 + i, 2 + (i * i * 5) % 60),
  label: i % 2 === 0,
})));
const options = { steps: 9, batchSize: 3, accumulate: 2, seed: 5, shuffle: true };

Deno.test("planBatches gives shapes that hold every batch of the run, and few of them", () => {
  const { shapes, mismatchedShapes } = planBatches(pairs, options);
  assert(shapes.length <= 4);
  assertEquals(mismatchedShapes, []);
  const takeBatch = createBatches({ count: pairs.length, size: 6, seed: 5, shuffle: true });
  let position = startOfData();
  let largest = 0;
  for (let step = 1; step <= options.steps; step++) {
    const { indices, next } = takeBatch(position);
    position = next;
    for (const micro of microBatches(Array.from(indices, (index) => pairs[index]!), 3)) {
      fitShape(shapes, measureGroups(micro)); // throws if none fits
      largest = Math.max(largest, measureGroups(micro).rows);
    }
  }
  assertEquals(shapes.at(-1)!.rows, Math.ceil(largest / 32) * 32); // no larger than needed
  assertEquals(shapes[0]!.sequences, 6);
});

Deno.test("planBatches counts the held-out batches, the last and smaller one too", () => {
  const long = pairExamples([{
    line: 1,
    prompt: repeat(1, 90),
    chosen: repeat(2, 90),
    rejected: repeat(3, 90),
  }]);
  const { shapes } = planBatches(pairs, { ...options, evaluation: [...pairs.slice(0, 3), ...long] });
  assertEquals(fitShape(shapes, measureGroups(long)), shapes.at(-1));
  assertThrows(() => fitShape(planBatches(pairs, options).shapes, measureGroups(long)), RangeError);
});

Deno.test("planBatches plans mismatched sequences over a whole step", () => {
  const unpaired = { ...options, mismatched: true, evaluation: completions.slice(0, 5) };
  const { shapes, mismatchedShapes } = planBatches(completions, unpaired);
  const takeBatch = createBatches({ count: completions.length, size: 6, seed: 5, shuffle: true });
  let position = startOfData();
  for (let step = 1; step <= options.steps; step++) {
    const { indices, next } = takeBatch(position);
    position = next;
    const groups = mismatchedGroups(Array.from(indices, (index) => completions[index]!));
    for (const micro of microBatches(groups, 3)) fitShape(mismatchedShapes, measureGroups(micro));
  }
  for (const micro of microBatches(mismatchedGroups(unpaired.evaluation), 3)) {
    fitShape(shapes, measureGroups(micro));
  }
});

Deno.test("mismatchedGroups gives prompt i the completion of record i − 1, the first the last one's", () => {
  const groups = mismatchedGroups(completions.slice(0, 3));
  assertEquals(groups.map(({ prompt, completions }) => [prompt[0], completions[0]![0]]), [
    [100, 202],
    [101, 200],
    [102, 201],
  ]);
});

Deno.test("mismatchedGroups keeps a long prompt with another's long completion within length", () => {
  const examples = completionExamples([
    { line: 1, prompt: Int32Array.of(0, ...repeat(1, 39)), completion: repeat(2, 4), label: true },
    { line: 2, prompt: repeat(3, 4), completion: repeat(4, 40), label: false },
  ]);
  const lengths = (limits: Parameters<typeof mismatchedGroups>[1]) =>
    mismatchedGroups(examples, limits).map((
      { prompt, completions: [completion] },
    ) => [prompt.length, completion!.length]);
  assertEquals(lengths({}), [[40, 40], [4, 4]]);
  assertEquals(lengths({ maxLength: 48 }), [[24, 24], [4, 4]]);
  const [long] = mismatchedGroups(examples, { maxLength: 48, bosId: 0 });
  assertEquals([long!.prompt[0], long!.prompt[1]], [0, 1]);
  const { shapes, mismatchedShapes } = planBatches(examples, {
    ...options,
    batchSize: 1,
    mismatched: true,
    mismatch: { maxLength: 48 },
    evaluation: examples,
  });
  // 47 rows are needed; without the limit it would be 79, and so 96.
  assertEquals([shapes.at(-1)!.rows, mismatchedShapes.at(-1)!.rows], [64, 64]);
});

Deno.test("longestSequence counts a prompt with its longer completion", () => {
  assertEquals(
    longestSequence([{ prompt: [1, 2], completions: [[3], [4, 5, 6]] }, { prompt: [1], completions: [[2]] }]),
    5,
  );
  assertEquals(longestSequence([]), 0);
});
