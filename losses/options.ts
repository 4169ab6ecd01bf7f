/** Options of a loss that has β alone. */
export interface BetaOptions {
  /** β, the factor between a completion's log-ratio and its reward; above 0. */
  readonly beta: number;
}

/** Throws unless `value`, the option `where` (such as "dpo: beta"), is a finite number above 0. */
export function checkPositive(value: number, where: string): void {
  if (!(Number.isFinite(value) && value > 0)) {
    throw new RangeError(`${where} must be a finite number above 0, got ${value}`);
  }
}

/** Throws unless `value`, the option `where` (such as "dpo: labelSmoothing"), is at least 0 and below 0.5. */
export function checkLabelSmoothing(value: number, where: string): void {
  if (!(value >= 0 && value < 0.5)) {
    throw new RangeError(`${where} must be at least 0 and below 0.5, got ${value}`);
  }
}

/** Throws unless `value`, the option `where` (such as "robust: labelSmoothing"), is above 0 and below 0.5. */
export function checkSmoothedLabels(value: number, where: string): void {
  if (!(value > 0 && value < 0.5)) {
    throw new RangeError(`${where} must be above 0 and below 0.5, got ${value}`);
  }
}
