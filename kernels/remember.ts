/** Texts that are generated once, however often a kernel is recorded. */

/** `make`, with what it made for each variant kept; variants of equal members in the same order are equal. */
export function remember<V extends object, T>(make: (variant: V) => T): (variant: V) => T {
  const made = new Map<string, T>();
  return (variant) => {
    const key = JSON.stringify(variant);
    const known = made.get(key);
    if (known !== undefined) return known;
    const result = make(variant);
    made.set(key, result);
    return result;
  };
}
