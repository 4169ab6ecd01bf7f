/** Throws unless `every` is a whole number of steps, at least 1. */
export function checkEvery(strategyName: string, every: number): void {
  if (!(Number.isInteger(every) && every >= 1)) {
    throw new RangeError(
      `${strategyName}: every must be a whole number of optimizer steps, at least 1, got ${every}`,
    );
  }
}

/** Throws unless `alpha` is a share above 0. */
export function checkAlpha(strategyName: string, alpha: number): void {
  if (!(alpha > 0 && alpha <= 1)) {
    throw new RangeError(
      `${strategyName}: alpha must be above 0 and at most 1, got ${alpha}; use frozen() for a fixed reference`,
    );
  }
}

/** Throws unless `step` counts steps. */
export function checkStep(name: string, step: number): void {
  if (!(Number.isInteger(step) && step >= 0)) {
    throw new RangeError(
      `${name}: step must be a whole number of optimizer steps, at least 0, got ${step}`,
    );
  }
}

/** Whether an update is due once `step` optimizer steps are completed; never before the first. */
export function isDue(step: number, every: number): boolean {
  return step > 0 && step % every === 0;
}

/** Throws, saying why a reference that is the policy cannot be trained against. */
export function refuseCopyEveryStep(given: string): never {
  throw new RangeError(
    `${given} copies the policy into the reference after each step, which removes the regularizer: policy and reference ` +
      `agree at every loss, DPO's is the constant ln 2; take a smaller alpha or a larger every`,
  );
}
