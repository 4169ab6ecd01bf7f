/** WGSL of the preference loss for numbers that a record gets from the record of its rank. */

/** Threads of the loss's single workgroup. */
export const THREADS = 64;

/** Numbers of a record and matching: what is ranked, what is given, who gives at its rank, and the gradient that comes back. */
export const PLANES = 4;

/**
 * How records are ranked. For each matching there are four planes of one number a record. They follow the gradient in its
 * buffer: one of their own would be the ninth of a loss that also reads log-weights, more than some devices bind.
 */
export const rankFunctions = (
  matchings: number,
  { sequencesPerRecord }: { sequencesPerRecord: 1 | 2 },
): string =>
  `const MATCHINGS = ${matchings}u;
fn place(matching: u32, plane: u32, i: u32) -> u32 {
  return (${sequencesPerRecord}u + matching * ${PLANES}u + plane) * sizes.records + i;
}

// How many of the plane's numbers come before number i; equal ones come in order of their places.
fn rank_of(matching: u32, plane: u32, i: u32, records: u32) -> u32 {
  let own = gradient[place(matching, plane, i)];
  var before = 0u;
  for (var j = 0u; j < records; j++) {
    let other = gradient[place(matching, plane, j)];
    before += select(0u, 1u, other < own || (other == own && j < i));
  }
  return before;
}`;

/**
 * Ranks all records. Counting instead of sorting: no more than a few hundred records, one order whatever the
 * device.
 */
export const rankRecords = `  for (var i = thread; i < records; i += ${THREADS}u) {
    let ranked = loss_ranked(record_of(i));
    let given = loss_ranked_with(record_of(i));
    for (var k = 0u; k < MATCHINGS; k++) {
      gradient[place(k, 0u, i)] = ranked[k];
      gradient[place(k, 1u, i)] = given[k];
      gradient[place(k, 2u, i)] = f32(i); // what stays where a NaN has no rank of its own
    }
  }
  storageBarrier();
  for (var i = thread; i < records; i += ${THREADS}u) {
    for (var k = 0u; k < MATCHINGS; k++) { gradient[place(k, 2u, rank_of(k, 1u, i, records))] = f32(i); }
  }
  storageBarrier();`;

/** What record i gets, and from which. */
export const takeMatched = `var givers = vec4u();
      var matched = vec4f();
      for (var k = 0u; k < MATCHINGS; k++) {
        givers[k] = u32(gradient[place(k, 2u, rank_of(k, 0u, i, records))]);
        matched[k] = gradient[place(k, 1u, givers[k])];
      }`;

/** Hands the gradient by what was given back to where it came from. */
export const giveBack = "for (var k = 0u; k < MATCHINGS; k++) { " +
  "gradient[place(k, 3u, givers[k])] = value.matched_gradient[k]; }";

/** Adds the part of the gradient that comes back from the records that a record's number was given to. */
export function throughMatchings(sequencesPerRecord: 1 | 2): string {
  return `  storageBarrier();
  for (var i = thread; i < records; i += ${THREADS}u) {
    var back = vec4f();
    for (var k = 0u; k < MATCHINGS; k++) { back[k] = gradient[place(k, 3u, i)]; }
    let of_chosen = dot(back, loss_ranked_with_chosen_gradient(record_of(i)));
    ${
    sequencesPerRecord === 2
      ? `gradient[2u * i] += of_chosen;
    gradient[2u * i + 1u] += dot(back, loss_ranked_with_rejected_gradient(record_of(i)));`
      : "gradient[i] += of_chosen;"
  }
  }`;
}
