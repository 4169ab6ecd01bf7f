/** Throws unless `value`, the option `where` (such as "dpo: beta"), is a finite number above 0. */
export function checkPositive(value: number, where: string): void {
  if (!(Number.isFinite(value) && value > 0)) {
    throw new RangeError(`${where} must be a finite number above 0, got ${value}`);
  }
}
