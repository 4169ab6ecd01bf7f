/**
 * Computes the reference's new parameters, α · policy + (1 − α) · reference.
 *
 * @param reference θ_ref, any shape flattened; left as it is.
 * @param policy θ, of the same length.
 * @param options `alpha` is the policy's share: 0 copies the reference, 1 the policy, both exactly.
 * @returns A new array of the reference's type.
 * @throws {RangeError} If the lengths differ or α is not in [0, 1].
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { mixReference } from "@tr/align/reference";
 *
 * const reference = mixReference(Float32Array.of(0, 8), Float32Array.of(4, 0), { alpha: 0.25 });
 * assertEquals(reference, Float32Array.of(1, 6));
 * ```
 */
export function mixReference<Parameters extends Float32Array | Float64Array>(
  reference: Parameters,
  policy: Float32Array | Float64Array,
  { alpha }: { readonly alpha: number },
): Parameters {
  if (reference.length !== policy.length) {
    throw new RangeError(
      `mixReference: the reference has ${reference.length} parameters and the policy ${policy.length}; they must be of one model`,
    );
  }
  if (!(alpha >= 0 && alpha <= 1)) {
    throw new RangeError(`mixReference: alpha must be from 0 to 1, got ${alpha}`);
  }
  const mixed = reference.slice() as Parameters;
  for (let i = 0; i < mixed.length; i++) mixed[i] = alpha * policy[i]! + (1 - alpha) * reference[i]!;
  return mixed;
}
