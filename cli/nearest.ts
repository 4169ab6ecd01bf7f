/**
 * "Did you mean …": the known name that is closest to a mistyped one.
 *
 * @module
 */

// Beyond this share of the name's letters, a suggestion is a guess rather than a help.
const MAX_CHANGED_SHARE = 0.4;

/**
 * Finds the known dotted name that `name` was probably meant to be: one that differs only in its section
 * (`steps` for `training.steps`), else one that takes few changes of single letters.
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = plain(name);
  const misplaced = known.filter((candidate) => lastPart(plain(candidate)) === lastPart(wanted));
  if (misplaced.length > 0) return closest(wanted, misplaced)?.candidate;
  const best = closest(wanted, known);
  return best && best.distance <= MAX_CHANGED_SHARE * wanted.length ? best.candidate : undefined;
}

/** `; did you mean …?` for the known name nearest to `name`, or nothing; `prefix` goes before the suggestion. */
export function didYouMean(name: string, known: readonly string[], prefix = ""): string {
  const match = nearest(name, known);
  return match === undefined ? "" : `; did you mean ${prefix}${match}?`;
}

// batchSize, batch-size and batch_size are one name to a reader.
function plain(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase().replaceAll("-", "_");
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

function closest(
  wanted: string,
  known: readonly string[],
): { candidate: string; distance: number } | undefined {
  return known
    .map((candidate) => ({ candidate, distance: distance(wanted, plain(candidate)) }))
    .sort((a, b) => a.distance - b.distance)[0];
}

// A name given without its section is compared without.
function distance(wanted: string, name: string): number {
  const whole = editDistance(wanted, name);
  return wanted.includes(".") ? whole : Math.min(whole, editDistance(wanted, lastPart(name)));
}

// Levenshtein's distance, one row of the table at a time.
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
