import { assert, assertEquals, assertThrows } from "@std/assert";
import { chooseShapes, fitShape } from "../../data/buckets.ts";
import type { BatchShape } from "../../data/pack.ts";
import { randomValues } from "../kernels/harness.ts";

const batch = (rows: number, slots = rows, sequences = 2): BatchShape => ({ rows, slots, sequences });

const totalRows = (shapes: readonly BatchShape[], batches: readonly BatchShape[]) =>
  batches.reduce((sum, batch) => sum + fitShape(shapes, batch).rows, 0);

/** The fewest rows in all that any choice of at most `count` shapes takes: every choice is tried. */
function fewestRows(batches: readonly BatchShape[], count: number): number {
  const sizes = [...new Set(batches.map(({ rows }) => Math.ceil(rows / 32) * 32))].sort((a, b) => a - b);
  let fewest = Infinity;
  for (let choice = 0; choice < 2 ** sizes.length; choice++) {
    const chosen = sizes.filter((_, i) => choice >> i & 1);
    if (chosen.length === 0 || chosen.length > count || chosen.at(-1) !== sizes.at(-1)) continue;
    const total = batches.reduce((sum, { rows }) => sum + chosen.find((size) => size >= rows)!, 0);
    fewest = Math.min(fewest, total);
  }
  return fewest;
}

Deno.test("chooseShapes rounds up to 32 and gives a shape to each size if it may", () => {
  assertEquals(chooseShapes([batch(33, 10), batch(64, 40), batch(200, 1, 3)]), [
    { rows: 64, slots: 64, sequences: 3 },
    { rows: 224, slots: 64, sequences: 3 },
  ]);
  assertEquals(chooseShapes([batch(1)]), [{ rows: 32, slots: 32, sequences: 2 }]);
});

Deno.test("chooseShapes wastes no more rows than the best of all choices", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const batches = Array.from(
      randomValues(25, { seed }),
      (value) => batch(1 + Math.floor((value + 1) ** 3 * 40)),
    );
    for (const shapes of [1, 2, 3, 4]) {
      const chosen = chooseShapes(batches, { shapes });
      assert(chosen.length <= shapes);
      assertEquals(totalRows(chosen, batches), fewestRows(batches, shapes), `seed ${seed}, ${shapes} shapes`);
    }
  }
});

Deno.test("chooseShapes ascends in rows and slots, and every batch fits a shape of its own rows", () => {
  // The shortest batch has the most slots: short prompts with long completions.
  const batches = [batch(40, 300), batch(100, 20), batch(400, 90), batch(380, 310)];
  const shapes = chooseShapes(batches, { shapes: 3 });
  shapes.slice(1).forEach((shape, i) => {
    assert(shape.rows > shapes[i]!.rows && shape.slots >= shapes[i]!.slots);
  });
  assertEquals(batches.map((each) => fitShape(shapes, each).rows), [64, 128, 416, 416]);
});

Deno.test("chooseShapes takes no more shapes than help", () => {
  assertEquals(chooseShapes([batch(60), batch(64), batch(50)], { shapes: 4 }).length, 1);
});

Deno.test("chooseShapes takes as many batches as a large corpus has", () => {
  const batches = Array.from({ length: 200_000 }, (_, i) => batch(32 + i % 640));
  assertEquals(chooseShapes(batches, { shapes: 2 }).length, 2);
});

Deno.test("fitShape gives the first shape that holds a batch in every size, and says if none does", () => {
  const shapes = [{ rows: 32, slots: 32, sequences: 2 }, { rows: 64, slots: 96, sequences: 2 }];
  assertEquals(fitShape(shapes, batch(32, 32)), shapes[0]);
  assertEquals(fitShape(shapes, batch(20, 33)), shapes[1]);
  assertThrows(
    () => fitShape(shapes, batch(64, 96, 3)),
    RangeError,
    "fitShape: no shape holds 64 rows, 96 slots and 3 sequences",
  );
});
