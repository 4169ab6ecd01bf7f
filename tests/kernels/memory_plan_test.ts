import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Access,
  createGraph,
  dispatch,
  type Graph,
  input,
  output,
  temporary,
} from "../../kernels/graph.ts";
import { type MemoryPlan, planMemory, shareSlots } from "../../kernels/memory_plan.ts";
import { reshape, type Storage, type Tensor } from "../../kernels/tensor.ts";
import { randomValues, testDevice, zeros } from "./harness.ts";

const device = await testDevice();

function touch(graph: Graph, ...bindings: (readonly [Tensor, Access])[]): void {
  dispatch(graph, { kernel: { label: "touch", code: "" }, bindings, workgroups: [1] });
}

/** Dispatches that touch each temporary, found without the plan's own code. */
function lives(graph: Graph): Map<Storage, [first: number, last: number]> {
  const found = new Map<Storage, [number, number]>();
  graph.dispatches.forEach(({ bindings }, index) => {
    for (const [{ storage }] of bindings) {
      if (storage.kind === "external" || storage.kind === "input") continue;
      found.set(storage, [found.get(storage)?.[0] ?? index, index]);
    }
  });
  for (const { storage } of graph.outputs.values()) {
    if (found.has(storage)) found.get(storage)![1] = Infinity;
  }
  return found;
}

/** Fails if two storages are alive in one slot at once, or a slot is too small. */
function assertSound(graph: Graph, { placement, slots }: MemoryPlan): void {
  const all = [...lives(graph)];
  assertEquals(placement.size, all.length);
  for (const [storage, [first, last]] of all) {
    const slot = placement.get(storage)!;
    assert(storage.bytes <= slots[slot]!, `${storage.label} doesn't fit its slot`);
    for (const [other, [otherFirst, otherLast]] of all) {
      if (other === storage || placement.get(other) !== slot) continue;
      assert(
        last < otherFirst || otherLast < first,
        `${storage.label} and ${other.label} share slot ${slot} at once`,
      );
    }
  }
}

Deno.test("planMemory reuses memory along a chain: two slots, since a kernel reads one and writes the other", () => {
  const graph = createGraph(device);
  let x = input(graph, "x", { shape: [64] });
  for (let i = 0; i < 6; i++) {
    const y = temporary([64], `y${i}`);
    touch(graph, [x, "read"], [y, "write"]);
    x = y;
  }
  const plan = planMemory(graph);
  assertEquals(plan.slots, [256, 256]);
  assertSound(graph, plan);
});

Deno.test("planMemory keeps what a later dispatch reads, and an output to the end", () => {
  const graph = createGraph(device);
  const [early, result, late, after] = ["early", "result", "late", "after"].map((l) =>
    temporary([64], l)
  ) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  output(graph, "result", result);
  touch(graph, [early, "write"], [result, "write"]);
  touch(graph, [early, "read"], [late, "write"]);
  touch(graph, [late, "read"], [after, "write"]);
  const plan = planMemory(graph);
  assertSound(graph, plan);
  assertEquals(plan.slots.length, 3);
  assertEquals(plan.placement.get(after.storage), plan.placement.get(early.storage));
});

Deno.test("planMemory counts all views of a storage as one, and places neither inputs nor external buffers", () => {
  const graph = createGraph(device);
  const x = temporary([8, 8], "x");
  const other = temporary([64], "other");
  touch(graph, [input(graph, "in", { shape: [64] }), "read"], [zeros(device, [64]), "update"], [x, "write"]);
  touch(graph, [other, "write"]);
  touch(graph, [reshape(x, [64]), "read"]);
  const plan = planMemory(graph);
  assertEquals([...plan.placement.keys()].map(({ label }) => label), ["x", "other"]);
  assertSound(graph, plan);
});

Deno.test("planMemory places random graphs soundly, in less memory than one buffer each", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const graph = createGraph(device);
    const numbers = randomValues(400, { seed });
    let at = 0;
    const choose = (count: number) => Math.floor((numbers[at++]! + 1) / 2 * count) % count;
    const made: Tensor[] = [];
    for (let i = 0; i < 40; i++) {
      const result = temporary([4 * (1 + choose(50))], `t${i}`);
      const reads = made.length === 0 ? [] : [made.at(-1 - choose(Math.min(6, made.length)))!];
      touch(graph, ...reads.map((tensor) => [tensor, choose(3) === 0 ? "update" : "read"] as const), [
        result,
        "write",
      ]);
      made.push(result);
      if (choose(10) === 0) output(graph, `o${i}`, result);
    }
    const plan = planMemory(graph);
    assertSound(graph, plan);
    const sum = (sizes: readonly number[]) => sizes.reduce((a, b) => a + b, 0);
    assert(sum(plan.slots) < 0.8 * sum(made.map(({ storage }) => storage.bytes)));
  }
});

Deno.test("planMemory refuses a graph that reads what nothing has written", () => {
  for (const access of ["read", "update"] as const) {
    const graph = createGraph(device);
    touch(graph, [temporary([4], "weights of nobody"), access]);
    assertThrows(
      () => planMemory(graph),
      Error,
      "touch reads weights of nobody before anything was written to it",
    );
  }
});

Deno.test("shareSlots makes each slot as large as any plan needs", () => {
  const plan = (slots: number[]): MemoryPlan => ({ slots, placement: new Map() });
  assertEquals(shareSlots([plan([100, 50]), plan([80, 60, 10]), plan([])]), [100, 60, 10]);
  assertEquals(shareSlots([]), []);
});
