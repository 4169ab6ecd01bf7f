/** How one quantity grows with another. */

/**
 * The exponent p of y = c xᵖ that fits best: the slope of the least-squares line through (log x, log y).
 *
 * @throws If there are not two different x, or a number is not positive.
 */
export function growthExponent(points: readonly (readonly [x: number, y: number])[]): number {
  if (points.some(([x, y]) => !(x > 0 && y > 0)) || new Set(points.map(([x]) => x)).size < 2) {
    throw new RangeError(
      `growthExponent: wanted positive numbers at two places at least, got ${JSON.stringify(points)}`,
    );
  }
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (of: (point: readonly [number, number]) => number) =>
    logs.reduce((sum, point) => sum + of(point), 0) / logs.length;
  const [meanX, meanY] = [mean(([x]) => x), mean(([, y]) => y)];
  return mean(([x, y]) => (x - meanX) * (y - meanY)) / mean(([x]) => (x - meanX) ** 2);
}
