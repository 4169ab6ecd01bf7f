/** The memory plan: which temporaries may share which buffer, decided before anything runs. */
import type { Graph } from "./graph.ts";
import type { Storage } from "./tensor.ts";

/** Where every temporary of a graph goes. */
export interface MemoryPlan {
  /** Size in bytes of each shared buffer, largest first. */
  readonly slots: readonly number[];
  /** The slot of each storage. */
  readonly placement: ReadonlyMap<Storage, number>;
}

interface Lifetime {
  storage: Storage;
  first: number;
  last: number;
}

/**
 * Plans the temporaries of a graph: storages whose lifetimes don't overlap share a slot, the largest placed first.
 *
 * A slot is a whole buffer rather than a range of one, so a kernel may bind one temporary for reading and another
 * for writing, and independent dispatches don't wait for each other.
 */
export function planMemory(graph: Graph): MemoryPlan {
  const lifetimes = findLifetimes(graph).sort((a, b) =>
    b.storage.bytes - a.storage.bytes || a.first - b.first
  );
  const slots: { bytes: number; tenants: Lifetime[] }[] = [];
  const placement = new Map<Storage, number>();
  for (const lifetime of lifetimes) {
    let index = slots.findIndex(({ tenants }) =>
      tenants.every(({ first, last }) => last < lifetime.first || lifetime.last < first)
    );
    if (index === -1) index = slots.push({ bytes: lifetime.storage.bytes, tenants: [] }) - 1;
    slots[index]!.tenants.push(lifetime);
    placement.set(lifetime.storage, index);
  }
  return { slots: slots.map(({ bytes }) => bytes), placement };
}

/** First and last dispatch that touches each temporary; outputs live to the end. */
function findLifetimes(graph: Graph): Lifetime[] {
  const found = new Map<Storage, Lifetime>();
  graph.dispatches.forEach(({ bindings, kernel }, index) => {
    for (const [{ storage }, access] of bindings) {
      if (storage.kind !== "temporary" && storage.kind !== "output") continue;
      const lifetime = found.get(storage);
      if (lifetime !== undefined) lifetime.last = index;
      else if (access === "write") found.set(storage, { storage, first: index, last: index });
      else throw new Error(`${kernel.label} reads ${storage.label} before anything was written to it`);
    }
  });
  for (const { storage } of graph.outputs.values()) {
    const lifetime = found.get(storage);
    if (lifetime !== undefined) lifetime.last = graph.dispatches.length;
  }
  return [...found.values()];
}

/** The slots that serve several plans one after another: the i-th is as large as the largest i-th slot. */
export function shareSlots(plans: readonly MemoryPlan[]): number[] {
  const count = Math.max(0, ...plans.map(({ slots }) => slots.length));
  return Array.from({ length: count }, (_, i) => Math.max(...plans.map(({ slots }) => slots[i] ?? 0)));
}
