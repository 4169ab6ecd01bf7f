/** Products that are added to another by its own launches, so that its result isn't read and written again. */
import type { MatrixView } from "./block.ts";
import { isAligned, type Operation, type Plus } from "./matmul_launch.ts";
import type { MatmulVariant } from "./matmul_variants.ts";

/** A product that is added to columns of another. */
export interface Summand extends Plus {
  /** The first column, and the one after the last. */
  readonly columns: readonly [start: number, end: number];
}

/** With more of them, launches have so few columns each that it costs more than it saves. */
const MOST_LAUNCHES = 2;

/**
 * A product and those added to it as one product for the columns of each.
 *
 * The variant is the one for the whole product and splits nothing, so that every element is summed in the same order as
 * without summands: where they are zero, its bits are the same.
 *
 * @returns Undefined where each has to be added by a launch of its own.
 */
export function joinProducts(
  operation: Operation,
  { summands, variant }: { summands: readonly Summand[]; variant: MatmulVariant },
): Operation[] | undefined {
  const { product: { batch, n }, scale } = operation;
  const isSplit = "tile" in variant && variant.splits !== undefined;
  if (batch > 1 || scale !== 1 || isSplit || summands.length > MOST_LAUNCHES) return undefined;
  const ends = [0, ...summands.map(({ columns }) => columns[1])];
  if (ends.at(-1) !== n || summands.some(({ columns }, i) => columns[0] !== ends[i])) return undefined;
  const fits = "tile" in variant || summands.every(isInVectors);
  return fits ? summands.map((summand) => joinOne(operation, summand)) : undefined;
}

/** Whether four elements at a time can be read and written everywhere. */
function isInVectors({ a, b, columns }: Summand): boolean {
  return isAligned([...columns, ...[a, b].flatMap(({ shape, stride, start }) => [...shape, stride, start])]);
}

function joinOne(operation: Operation, { columns: [start, end], ...plus }: Summand): Operation {
  const { product, b, result, bias } = operation;
  const from = (view: MatrixView, step = 1) => ({ ...view, start: view.start + start * step });
  return {
    ...operation,
    product: { ...product, n: end - start },
    b: from(b, product.transposeB ? b.stride : 1),
    result: from(result),
    bias: bias && from(bias),
    plus,
  };
}
