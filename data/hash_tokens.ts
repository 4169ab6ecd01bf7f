/**
 * A number for sequences of token ids, equal for equal sequences and seeds and otherwise as good as random:
 * two runs of MurmurHash3's mixing (Appleby, public domain).
 *
 * @param parts sequences, of which the boundaries count too
 * @param seed two unsigned 32-bit integers; default 0, 1
 * @returns an integer from 0 to 2^53 − 1
 */
export function hashTokens(
  parts: readonly ArrayLike<number>[],
  [low, high]: readonly [number, number, ...number[]] = [0, 1],
): number {
  return hash32(parts, low) * 2 ** 21 + (hash32(parts, high) >>> 11);
}

function hash32(parts: readonly ArrayLike<number>[], seed: number): number {
  let h = seed | 0;
  let count = 0;
  const mix = (value: number) => {
    const k = Math.imul(value, 0xcc9e2d51);
    h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
    count++;
  };
  for (const part of parts) {
    mix(part.length);
    for (let i = 0; i < part.length; i++) mix(part[i]!);
  }
  h ^= 4 * count;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
