/** Checkpointing: activations that are dropped after the forward pass and computed again in the backward pass. */
import { type Dispatch, type Graph, needsGradient, passBack } from "./graph.ts";
import type { Storage, Tensor } from "./tensor.ts";

/**
 * Records a block of operations of which only what it reads and its result are kept for the backward pass, where the
 * block is recorded once more with memory of its own: the same kernels in the same order, so the gradients are the same
 * to the last bit (Chen et al., arXiv 1604.06174).
 *
 * @param record Records the block and returns its result. Called again during `backward`, and must record the same then;
 * so it names no inputs or outputs of the graph. What else of the block is used outside is kept, and its gradients reach
 * what the block reads in a sum of their own.
 * @returns The block's result.
 * @throws When `backward` comes to the block and something that it reads has been overwritten since.
 */
export function checkpoint(graph: Graph, record: () => Tensor): Tensor {
  const { dispatches, tape } = graph;
  const start = dispatches.length;
  const result = record();
  if (!needsGradient(graph, result)) return result;
  const reads = readFromOutside(dispatches.slice(start));
  tape.push({
    output: result,
    rule: (gradient, gradients) => {
      checkUnchanged(reads, dispatches.slice(start));
      const operations = tape.length;
      const end = dispatches.length;
      const again = record();
      const rules = tape.splice(operations);
      const repeated = dispatches.splice(end);
      gradients.set(again, gradient);
      passBack(rules, gradients);
      const back = dispatches.splice(end);
      const passedOn = [...gradients.values()].map(({ storage }) => storage);
      dispatches.push(...withoutUnread(repeated, [...back.flatMap(readsOf), ...passedOn]), ...back);
    },
  });
  return result;
}

function readsOf({ bindings }: Dispatch): Storage[] {
  return bindings.flatMap(([{ storage }, access]) => access === "write" ? [] : [storage]);
}

/** What some dispatches read before they write it, if they do. */
function readFromOutside(dispatches: readonly Dispatch[]): Set<Storage> {
  const written = new Set<Storage>();
  const reads = new Set<Storage>();
  for (const dispatch of dispatches) {
    for (const storage of readsOf(dispatch)) if (!written.has(storage)) reads.add(storage);
    for (const [{ storage }] of dispatch.bindings) written.add(storage);
  }
  return reads;
}

function checkUnchanged(reads: ReadonlySet<Storage>, dispatches: readonly Dispatch[]): void {
  for (const { bindings, kernel } of dispatches) {
    const changed = bindings.find(([{ storage }, access]) => access !== "read" && reads.has(storage));
    if (changed === undefined) continue;
    throw new Error(
      `checkpoint: ${kernel.label} overwrites ${
        changed[0].storage.label
      }, which a block reads that is computed again later; ` +
        "give the block a copy, or leave it without a checkpoint",
    );
  }
}

/** The dispatches that `wanted` needs; the one that makes the block's result, for example, is of no use a second time. */
function withoutUnread(dispatches: readonly Dispatch[], wanted: Iterable<Storage>): Dispatch[] {
  const needed = new Set(wanted);
  const kept = dispatches.toReversed().filter((dispatch) => {
    const isNeeded = dispatch.bindings.some(([{ storage }, access]) =>
      access !== "read" && (storage.kind !== "temporary" || needed.has(storage))
    );
    if (isNeeded) { for (const storage of readsOf(dispatch)) needed.add(storage); }
    return isNeeded;
  });
  return kept.reverse();
}
