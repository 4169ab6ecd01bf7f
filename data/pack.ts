/** Packing: sequences of a batch laid end to end in rows, without padding between them. */

/** A prompt and the completions that follow it: a pair has two, an unpaired or SFT record one. */
export interface PackedGroup {
  /** Token ids of the prompt, at least one. */
  readonly prompt: ArrayLike<number>;
  /** Token ids of each completion, at least one each. */
  readonly completions: readonly ArrayLike<number>[];
}

/** The lengths of a {@linkcode PackedGroup}, which is one itself. */
export interface GroupSizes {
  /** Of the prompt. */
  readonly prompt: { readonly length: number };
  /** Of each completion. */
  readonly completions: readonly { readonly length: number }[];
}

/** The sizes that a batch is padded to; a program is compiled for each shape. */
export interface BatchShape {
  /** Token positions that the model computes. */
  readonly rows: number;
  /** Completion tokens whose log-probability is taken. */
  readonly slots: number;
  /** Completions. */
  readonly sequences: number;
}

/** Options of {@linkcode measureGroups} and {@linkcode packGroups}. */
export interface PackOptions {
  /**
   * Compute a prompt once for all its completions, which see it and themselves; exact. Default true.
   */
  readonly sharePrompts?: boolean;
  /** Positions, its own included, that a row sees in layers with a window; none by default. */
  readonly window?: number;
  /** Whether to list the rows of each position, for models that learn an embedding of positions. */
  readonly listPositions?: boolean;
}

/** A batch as the model's program takes it; the names are those of the program's inputs. */
export interface PackedBatch {
  /** [rows], token ids. */
  readonly tokens: Int32Array;
  /** [rows], position of each row in its sequence. */
  readonly positions: Int32Array;
  /** [rows, 4]: row i sees keys j ≤ i with spans₀ ≤ j < spans₁ or spans₂ ≤ j; no row from spans₃ on sees key i. */
  readonly spans: Int32Array;
  /** [slots], the row that predicts each completion token. */
  readonly slot_rows: Int32Array;
  /** [slots], the token predicted. */
  readonly slot_targets: Int32Array;
  /** [slots], the sequence it belongs to; `sequences` for padding. */
  readonly slot_sequences: Int32Array;
  /** [sequences + 1], where each sequence's slots start. */
  readonly sequence_starts: Int32Array;
  /** [sequences], completion tokens. */
  readonly lengths: Float32Array;
  /** [slots], what each completion token counts in its sequence's sum; only if a `tailWeight` was given. */
  readonly slot_weights?: Float32Array;
  /** [rows], the distinct tokens of the batch, then zeros. */
  readonly token_list_targets: Int32Array;
  /** [rows + 1], where each distinct token's rows start. */
  readonly token_list_starts: Int32Array;
  /** [rows], the rows of each distinct token. */
  readonly token_list_rows: Int32Array;
  /** [rows], 0, 1, 2, …. */
  readonly row_list_targets: Int32Array;
  /** [rows + 1], where the slots that each row predicts start. */
  readonly row_list_starts: Int32Array;
  /** [slots], the slots that each row predicts. */
  readonly row_list_rows: Int32Array;
  /** [rows, 4], spans for layers with a window. */
  readonly window_spans?: Int32Array;
  /** [rows], the distinct positions of the batch, then zeros. */
  readonly position_list_targets?: Int32Array;
  /** [rows + 1], where each distinct position's rows start. */
  readonly position_list_starts?: Int32Array;
  /** [rows], the rows of each distinct position. */
  readonly position_list_rows?: Int32Array;
}

/**
 * Rows, slots and sequences that a batch takes, before padding.
 *
 * The last token of a completion predicts nothing and takes no row.
 */
export function measureGroups(
  groups: readonly GroupSizes[],
  { sharePrompts = true }: PackOptions = {},
): BatchShape {
  let rows = 0, slots = 0, sequences = 0;
  for (const { prompt, completions } of groups) {
    rows += prompt.length * (sharePrompts ? 1 : completions.length);
    for (const completion of completions) {
      rows += completion.length - 1;
      slots += completion.length;
      sequences++;
    }
  }
  return { rows, slots, sequences };
}

/**
 * Lays a batch out for the model's program.
 *
 * @param options.tailWeight What tokens beyond the length of their group's shortest completion count in sums, for losses
 * that are desensitized to length (LD-DPO, arXiv 2409.06411); nothing is weighted by default.
 * @param options.shape What to pad to; at least as large as {@linkcode measureGroups} says.
 * @throws If a prompt or completion is empty or the batch doesn't fit the shape.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { packGroups } from "@tr/align/data";
 *
 * const groups = [{ prompt: [7, 8], completions: [[1, 2], [3]] }];
 * const batch = packGroups(groups, { shape: { rows: 4, slots: 4, sequences: 2 } });
 * assertEquals([...batch.tokens], [7, 8, 1, 0]); // the prompt once, then all but the last token of each completion
 * assertEquals([...batch.slot_rows], [1, 2, 1, 0]); // both completions begin after row 1
 * assertEquals([...batch.slot_targets], [1, 2, 3, 0]);
 * assertEquals([...batch.lengths], [2, 1]);
 * ```
 */
export function packGroups(
  groups: readonly PackedGroup[],
  options: PackOptions & { shape: BatchShape; tailWeight?: number },
): PackedBatch {
  const { shape, sharePrompts = true, window, listPositions = false, tailWeight } = options;
  const needed = measureGroups(groups, { sharePrompts });
  for (const size of ["rows", "slots", "sequences"] as const) {
    if (needed[size] > shape[size]) {
      throw new RangeError(`packGroups: the batch has ${needed[size]} ${size}; the shape has ${shape[size]}`);
    }
  }
  const writer = createWriter(shape);
  for (const { prompt, completions } of groups) {
    if (prompt.length === 0) {
      throw new RangeError("packGroups: a prompt is empty; a completion needs a token before it");
    }
    const prompts = sharePrompts ? [completions] : completions.map((completion) => [completion]);
    for (const following of prompts) writer.addPrompt(prompt, following);
  }
  const { batch, used } = writer.finish();
  return {
    ...batch,
    ...(window === undefined ? {} : { window_spans: narrowSpans(batch, window) }),
    ...(tailWeight === undefined ? {} : { slot_weights: weighTails(groups, { shape, tailWeight }) }),
    ...(listPositions ? listOf("position", batch.positions, used) : {}),
  };
}

function weighTails(
  groups: readonly PackedGroup[],
  { shape, tailWeight }: { shape: BatchShape; tailWeight: number },
): Float32Array {
  const weights = new Float32Array(shape.slots).fill(1);
  let slot = 0;
  for (const { completions } of groups) {
    const shortest = Math.min(...completions.map(({ length }) => length));
    for (const { length } of completions) {
      weights.fill(tailWeight, slot + shortest, slot + length);
      slot += length;
    }
  }
  return weights;
}

/**
 * The spans of rows that see only `window` positions back. A row sees a range of its prompt and a range of its own
 * completion; keys of both that are too far away drop out at the front.
 */
function narrowSpans(
  { positions, spans }: Pick<PackedBatch, "positions" | "spans">,
  window: number,
): Int32Array {
  const narrowed = spans.slice();
  positions.forEach((position, row) => {
    const at = row * 4;
    const [promptStart, promptEnd, own] = [spans[at]!, spans[at + 1]!, spans[at + 2]!];
    const nearest = position - window + 1; // the first position that is seen
    if (nearest <= 0) return;
    const promptLength = promptEnd - promptStart;
    // Of a prompt's own rows the range before them is empty and all they see is in the second one.
    narrowed[at] = Math.min(promptEnd, promptStart + nearest);
    narrowed[at + 2] = own + Math.max(0, nearest - promptLength);
  });
  return narrowed;
}

function createWriter(shape: BatchShape) {
  const batch = {
    tokens: new Int32Array(shape.rows),
    positions: new Int32Array(shape.rows),
    spans: new Int32Array(shape.rows * 4),
    slot_rows: new Int32Array(shape.slots),
    slot_targets: new Int32Array(shape.slots),
    slot_sequences: new Int32Array(shape.slots).fill(shape.sequences),
    sequence_starts: new Int32Array(shape.sequences + 1),
    lengths: new Float32Array(shape.sequences),
  };
  let row = 0, slot = 0, sequence = 0;
  const addRow = (token: number, position: number, span: readonly [number, number, number, number]) => {
    batch.tokens[row] = token;
    batch.positions[row] = position;
    batch.spans.set(span, row * 4);
    row++;
  };
  const addCompletion = (completion: ArrayLike<number>, prompt: { start: number; end: number }) => {
    if (completion.length === 0) {
      throw new RangeError("packGroups: a completion is empty; such records can't be trained on");
    }
    const own = row;
    const last = own + completion.length - 1;
    for (let k = 0; k < completion.length; k++) {
      batch.slot_rows[slot] = k === 0 ? prompt.end - 1 : own + k - 1;
      batch.slot_targets[slot] = completion[k]!;
      batch.slot_sequences[slot] = sequence;
      slot++;
      if (k + 1 < completion.length) {
        addRow(completion[k]!, prompt.end - prompt.start + k, [prompt.start, prompt.end, own, last]);
      }
    }
    batch.lengths[sequence] = completion.length;
    sequence++;
    batch.sequence_starts.fill(slot, sequence);
  };
  return {
    addPrompt(prompt: ArrayLike<number>, completions: readonly ArrayLike<number>[]) {
      const start = row;
      const last = completions.reduce((end, { length }) => end + length - 1, start + prompt.length);
      for (let i = 0; i < prompt.length; i++) addRow(prompt[i]!, i, [start, start, start, last]);
      const end = row;
      for (const completion of completions) addCompletion(completion, { start, end });
    },
    finish(): { batch: PackedBatch; used: number } {
      const used = { rows: row, slots: slot };
      // Padding rows see only themselves, so they stay finite and touch nothing.
      while (row < shape.rows) addRow(0, 0, [row, row, row, row + 1]);
      return {
        batch: {
          ...batch,
          ...listOf("token", batch.tokens, used.rows),
          ...listSlots(batch.slot_rows, used.slots, shape),
        },
        used: used.rows,
      };
    },
  };
}

/** The rows of each distinct value, ascending: sums in this order are the same on every run. */
function listOf<Name extends "token" | "position">(name: Name, values: Int32Array, used: number) {
  const byValue = Int32Array.from({ length: used }, (_, i) => i).sort((a, b) =>
    values[a]! - values[b]! || a - b
  );
  const targets = new Int32Array(values.length);
  const starts = new Int32Array(values.length + 1).fill(used);
  const rows = new Int32Array(values.length);
  rows.set(byValue);
  let lists = 0;
  byValue.forEach((row, i) => {
    if (i > 0 && values[row] === values[byValue[i - 1]!]) return;
    targets[lists] = values[row]!;
    starts[lists] = i;
    lists++;
  });
  type Lists = { [Part in "targets" | "starts" | "rows" as `${Name}_list_${Part}`]: Int32Array };
  return {
    [`${name}_list_targets`]: targets,
    [`${name}_list_starts`]: starts,
    [`${name}_list_rows`]: rows,
  } as Lists;
}

/** The slots that each row predicts: a shared prompt's last row predicts the first token of every completion. */
function listSlots(slotRows: Int32Array, used: number, { rows, slots }: BatchShape) {
  const row_list_targets = Int32Array.from({ length: rows }, (_, i) => i);
  const row_list_starts = new Int32Array(rows + 1);
  for (let slot = 0; slot < used; slot++) row_list_starts[slotRows[slot]! + 1]!++;
  for (let row = 0; row < rows; row++) row_list_starts[row + 1]! += row_list_starts[row]!;
  const next = row_list_starts.slice();
  const row_list_rows = new Int32Array(slots);
  for (let slot = 0; slot < used; slot++) row_list_rows[next[slotRows[slot]!]!++] = slot;
  return { row_list_targets, row_list_starts, row_list_rows };
}
