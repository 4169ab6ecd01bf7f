import { assert, assertEquals, assertThrows } from "@std/assert";
import { measureGroups, type PackedBatch, type PackedGroup, packGroups } from "../../data/pack.ts";

const pair: PackedGroup = { prompt: [7, 8, 9], completions: [[1, 2, 3], [4, 5]] };
const single: PackedGroup = { prompt: [6], completions: [[2]] };
const groups = [pair, single];

/** A batch padded by `extra` in every size. */
function pack(groups: readonly PackedGroup[], { extra = 0, sharePrompts = true } = {}): PackedBatch {
  const { rows, slots, sequences } = measureGroups(groups, { sharePrompts });
  const shape = { rows: rows + extra, slots: slots + extra, sequences: sequences + extra };
  return packGroups(groups, { shape, sharePrompts });
}

/** Whether a row sees a key at or before it, as the spans have it. */
function sees(spans: Int32Array, { row, key }: { row: number; key: number }): boolean {
  const [start, end, own] = [0, 1, 2].map((i) => spans[row * 4 + i]!) as [number, number, number];
  return key >= start && (key < end || key >= own);
}

/** The tokens that a row sees, itself included, in order. */
function seen({ tokens, spans }: PackedBatch, row: number): number[] {
  return [...tokens.subarray(0, row + 1)].filter((_, key) => sees(spans, { row, key }));
}

Deno.test("measureGroups counts a shared prompt once, and no row for a last token", () => {
  assertEquals(measureGroups(groups), { rows: 3 + 2 + 1 + 1, slots: 3 + 2 + 1, sequences: 3 });
  assertEquals(measureGroups(groups, { sharePrompts: false }), { rows: 10, slots: 6, sequences: 3 });
  assertEquals(measureGroups([]), { rows: 0, slots: 0, sequences: 0 });
});

Deno.test("packGroups lays a shared prompt out once, then its completions without their last tokens", () => {
  const batch = pack(groups);
  assertEquals([...batch.tokens], [7, 8, 9, 1, 2, 4, 6]);
  assertEquals([...batch.positions], [0, 1, 2, 3, 4, 3, 0]);
  assertEquals([...batch.slot_targets], [1, 2, 3, 4, 5, 2]);
  assertEquals([...batch.slot_rows], [2, 3, 4, 2, 5, 6]);
  assertEquals([...batch.slot_sequences], [0, 0, 0, 1, 1, 2]);
  assertEquals([...batch.sequence_starts], [0, 3, 5, 6]);
  assertEquals([...batch.lengths], [3, 2, 1]);
});

Deno.test("packGroups repeats prompts that are not to be shared", () => {
  const batch = pack(groups, { sharePrompts: false });
  assertEquals([...batch.tokens], [7, 8, 9, 1, 2, 7, 8, 9, 4, 6]);
  assertEquals([...batch.positions], [0, 1, 2, 3, 4, 0, 1, 2, 3, 0]);
  assertEquals([...batch.slot_rows], [2, 3, 4, 7, 8, 9]);
});

for (const sharePrompts of [true, false]) {
  const how = sharePrompts ? "shared" : "separate";
  Deno.test(`packGroups with ${how} prompts lets every slot's row see just its prompt and what precedes the target`, () => {
    const batch = pack(groups, { sharePrompts, extra: 3 });
    const sequences = groups.flatMap(({ prompt, completions }) =>
      completions.flatMap((completion) =>
        Array.from(completion, (target, k) => ({
          target,
          context: [...Array.from(prompt), ...Array.from(completion).slice(0, k)],
        }))
      )
    );
    sequences.forEach(({ target, context }, slot) => {
      const row = batch.slot_rows[slot]!;
      assertEquals([batch.slot_targets[slot], seen(batch, row)], [target, context], `slot ${slot}`);
      assertEquals(batch.positions[row], context.length - 1);
    });
  });

  Deno.test(`packGroups with ${how} prompts says where the last row is that sees a key`, () => {
    const batch = pack(groups, { sharePrompts, extra: 2 });
    for (let key = 0; key < batch.tokens.length; key++) {
      const last = batch.spans[key * 4 + 3]!;
      for (let row = key; row < batch.tokens.length; row++) {
        assert(
          !sees(batch.spans, { row, key }) || row < last,
          `row ${row} sees key ${key}, which ends at ${last}`,
        );
      }
      assert(last > key && last <= batch.tokens.length);
    }
  });
}

Deno.test("packGroups pads with rows that see only themselves, slots of no sequence and empty sequences", () => {
  const batch = pack(groups, { extra: 2 });
  for (const row of [7, 8]) {
    assertEquals([...batch.spans.subarray(row * 4, row * 4 + 4)], [row, row, row, row + 1]);
    assertEquals([batch.tokens[row], batch.positions[row]], [0, 0]);
  }
  assertEquals([...batch.slot_sequences.subarray(6)], [5, 5]);
  assertEquals([...batch.sequence_starts], [0, 3, 5, 6, 6, 6]);
  assertEquals([...batch.lengths], [3, 2, 1, 0, 0]);
});

/** The lists of a gradient by what they belong to, empty ones left out. */
function lists(targets: Int32Array, starts: Int32Array, rows: Int32Array): [number, number[]][] {
  assertEquals(starts.length, targets.length + 1);
  return Array.from(targets, (target, i): [number, number[]] => [
    target,
    [...rows.subarray(starts[i], starts[i + 1])],
  ]).filter(([, list]) => list.length > 0);
}

Deno.test("packGroups lists the rows of each distinct token, padding left out", () => {
  const repeated = [{ prompt: [5, 3, 5], completions: [[3, 5, 1], [9]] }];
  const batch = pack(repeated, { extra: 4 }); // rows: 5 3 5 3 5, then padding with token 0
  const { token_list_targets, token_list_starts, token_list_rows } = batch;
  assertEquals(lists(token_list_targets, token_list_starts, token_list_rows), [[3, [1, 3]], [5, [0, 2, 4]]]);
  const targets = token_list_targets.filter((_, i) => token_list_starts[i]! < token_list_starts[i + 1]!);
  assertEquals(new Set(targets).size, targets.length);
});

Deno.test("packGroups keeps a used token 0 apart from padding", () => {
  const batch = pack([{ prompt: [0, 4], completions: [[0, 4]] }], { extra: 3 });
  const { token_list_targets, token_list_starts, token_list_rows } = batch;
  assertEquals(lists(token_list_targets, token_list_starts, token_list_rows), [[0, [0, 2]], [4, [1]]]);
});

Deno.test("packGroups lists the slots that each row predicts: a shared prompt's last row begins every completion", () => {
  const batch = pack(groups, { extra: 2 });
  const { row_list_targets, row_list_starts, row_list_rows } = batch;
  assertEquals([...row_list_targets], [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assertEquals(lists(row_list_targets, row_list_starts, row_list_rows), [
    [2, [0, 3]],
    [3, [1]],
    [4, [2]],
    [5, [4]],
    [6, [5]],
  ]);
});

Deno.test("packGroups refuses empty prompts and completions and a shape that is too small", () => {
  const shape = { rows: 9, slots: 9, sequences: 9 };
  assertThrows(
    () => packGroups([{ prompt: [], completions: [[1]] }], { shape }),
    RangeError,
    "packGroups: a prompt is empty; a completion needs a token before it",
  );
  assertThrows(
    () => packGroups([{ prompt: [1], completions: [[1], []] }], { shape }),
    RangeError,
    "packGroups: a completion is empty; such records can't be trained on",
  );
  for (const [size, needed] of Object.entries({ rows: 7, slots: 6, sequences: 3 })) {
    assertThrows(
      () => packGroups(groups, { shape: { ...shape, [size]: needed - 1 } }),
      RangeError,
      `packGroups: the batch has ${needed} ${size}; the shape has ${needed - 1}`,
    );
  }
});

Deno.test("packGroups weighs tokens beyond the shorter completion of their pair, and only if asked to", () => {
  const groups = [
    { prompt: [1], completions: [[2, 3, 4], [5]] },
    { prompt: [6, 7], completions: [[8, 9], [10, 11]] },
    { prompt: [6], completions: [[8], [10, 11]] },
  ];
  const shape = { rows: 16, slots: 13, sequences: 6 };
  assertEquals(
    [...packGroups(groups, { shape, tailWeight: 0.5 }).slot_weights!],
    [1, 0.5, 0.5, 1, 1, 1, 1, 1, 1, 1, 0.5, 1, 1],
  );
  assert(!("slot_weights" in packGroups(groups, { shape })));
});
