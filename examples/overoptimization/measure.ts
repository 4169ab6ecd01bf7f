import { type BatchShape, fitShape, measureGroups, type PackedGroup } from "@tr/align/data";
import type { Engine } from "@tr/align/training";
import type { Reply } from "./replies.ts";

/** How far a policy is from the initial one, measured on its own samples, in nats for each of them. */
export interface Divergence {
  /**
   * Σ over the positions of a sample of KL(policy ‖ initial) over the vocabulary there. Its mean is KL of the sequences
   * (the chain rule), with less noise than the log-ratio's.
   */
  readonly exact: number[];
  /** log policy − log initial of a sample. Its mean is the same KL. */
  readonly logRatio: number[];
}

/** Replies, two to each order, in groups as the engine takes them: neighbours have one prompt. */
export function groupReplies(replies: readonly Pick<Reply, "prompt" | "completion">[]): PackedGroup[] {
  return Array.from({ length: replies.length / 2 }, (_, i) => ({
    prompt: replies[2 * i]!.prompt,
    completions: [replies[2 * i]!.completion, replies[2 * i + 1]!.completion],
  }));
}

/**
 * Measures how far the policy is from the initial one, on replies that were drawn from it, two to each order.
 *
 * @param engine One whose reference may move, so that it holds the initial one apart.
 * @param options.batchSize Orders at a time.
 */
export async function measureDivergence(
  engine: Engine,
  options: { replies: readonly Reply[]; batchSize: number; shapes: readonly BatchShape[] },
): Promise<Divergence> {
  const { batchSize, shapes } = options;
  const groups = groupReplies(options.replies);
  const exact: number[] = [], logRatio: number[] = [];
  for (let start = 0; start < groups.length; start += batchSize) {
    const batch = groups.slice(start, start + batchSize);
    const shape = fitShape(shapes, measureGroups(batch));
    const { policy, initial, "kl/initial": divergence } = await engine.compare(engine.pack(batch, shape), {
      shape,
    }).read();
    for (let i = 0; i < 2 * batch.length; i++) {
      exact.push(divergence![i]!);
      logRatio.push(policy![i]! - initial![i]!);
    }
  }
  return { exact, logRatio };
}
