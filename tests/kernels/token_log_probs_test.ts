import { assert, assertEquals } from "@std/assert";
import type { Device } from "../../kernels/device.ts";
import { backward, createGraph, output } from "../../kernels/graph.ts";
import { tokenLogProbs } from "../../kernels/token_log_probs.ts";
import {
  assertClose,
  filled,
  filledInput,
  packed,
  randomValues,
  runOnce,
  testDevice,
  testDevices,
  watchGradient,
} from "./harness.ts";
import { plus, product, transpose } from "./references/matmul.ts";
import { tokenLogProbs as reference, tokenLogProbsGradient } from "./references/rows.ts";

const device = await testDevice();

interface Options {
  rows: number;
  channels: number;
  vocabulary: number;
  logitsBytes?: number;
  device?: Device;
  /** Rows of each tensor of the head; one tensor if not given. */
  parts?: readonly number[];
}

/** Runs the operation with random hidden states, forward and backward. */
async function run({ rows, channels, vocabulary, logitsBytes, parts, ...options }: Options) {
  const hidden = randomValues(rows * channels, { seed: 1, scale: 2 });
  const head = randomValues(vocabulary * channels, { seed: 2, scale: 2 });
  const before = randomValues(vocabulary * channels, { seed: 3 });
  const gradient = randomValues(rows, { seed: 4 });
  const targets = Array.from({ length: rows }, (_, i) => (i * 7 + vocabulary - 1) % vocabulary);
  const graph = createGraph(options.device ?? device);
  const x = filled(device, hidden, { shape: [rows, channels] });
  watchGradient(graph, x, "dx");
  let start = 0;
  const heads = (parts ?? [vocabulary]).map((height) => {
    const own = (values: Float32Array) => values.slice(start * channels, (start + height) * channels);
    const gradient = filled(device, own(before), { shape: [height, channels] });
    const tensor = filled(device, own(head), { shape: [height, channels], gradient });
    start += height;
    return tensor;
  });
  const { logProbs } = tokenLogProbs(graph, x, {
    head: parts ? heads : heads[0]!,
    targets: filledInput(graph, "targets", { values: targets, shape: [rows] }),
    ...(logitsBytes === undefined ? {} : { logitsBytes }),
  });
  backward(graph, new Map([[logProbs, filled(device, gradient, { shape: [rows] })]]));
  output(graph, "logProbs", logProbs);
  heads.forEach(({ gradient }, i) => output(graph, `dw${i}`, gradient!));
  const results = await runOnce(graph);
  const dw = Float32Array.from(heads.flatMap((_, i) => [...results[`dw${i}`]!]));
  return {
    results: { ...results, dw } as Record<string, Float32Array>,
    graph,
    hidden,
    head,
    before,
    gradient,
    targets,
  };
}

async function assertLogProbs(options: Options): Promise<void> {
  const { rows, channels, vocabulary } = options;
  const { results, hidden, head, before, gradient, targets } = await run(options);
  const matrices = {
    hidden: { values: hidden, rows, columns: channels },
    head: { values: head, rows: vocabulary, columns: channels },
  };
  const logits = product(matrices.hidden, transpose(matrices.head));
  const byLogits = {
    values: tokenLogProbsGradient(logits, { vocabulary, targets, gradient }),
    rows,
    columns: vocabulary,
  };
  const expected = {
    logProbs: reference(logits, { vocabulary, targets }),
    dx: product(byLogits, matrices.head),
    dw: plus(product(transpose(byLogits), matrices.hidden), before),
  };
  for (const [what, wanted] of Object.entries(expected)) {
    // Logits of size 20, with an error of about 1e-6 each, pass through exp.
    assertClose(results[what]!, wanted, { tolerance: 5e-6, what });
  }
}

for (const [kind, device] of Object.entries(await testDevices())) {
  for (const vocabulary of [5, 64, 131]) {
    Deno.test(`tokenLogProbs as chosen for ${kind} adapters over ${vocabulary} tokens and its gradients are the float64 ones`, async () => {
      await assertLogProbs({ rows: 37, channels: 12, vocabulary, device });
      await assertLogProbs({ rows: 1, channels: 12, vocabulary, device });
    });
  }

  Deno.test(`tokenLogProbs as chosen for ${kind} adapters takes a vocabulary that 256 threads share`, async () => {
    for (const vocabulary of [9001, 33_000]) {
      const { results, hidden, head, targets } = await run({ rows: 3, channels: 4, vocabulary, device });
      const logits = product(
        { values: hidden, rows: 3, columns: 4 },
        transpose({ values: head, rows: vocabulary, columns: 4 }),
      );
      const expected = reference(logits, { vocabulary, targets });
      // The sum over the vocabulary rounds by a few float32 ulps of its log, 10.
      assertClose(results.logProbs!, expected, { tolerance: 3e-7, what: "logProbs" });
    }
  });

  Deno.test(`tokenLogProbs as chosen for ${kind} adapters is the same in chunks of rows`, async () => {
    for (const vocabulary of [36, 37]) {
      // 150 rows in chunks of 64: two whole ones and a part.
      await assertLogProbs({ rows: 150, channels: 12, vocabulary, logitsBytes: 64 * vocabulary * 4, device });
    }
  });
}

for (const [kind, device] of Object.entries(await testDevices())) {
  Deno.test(`tokenLogProbs as chosen for ${kind} adapters is the same with the head in parts`, async () => {
    for (const parts of [[16, 32, 16], [13, 6, 45], [13, 6, 44]]) {
      const vocabulary = parts.reduce((sum, part) => sum + part);
      // In one chunk, and in chunks of 64 rows.
      for (const logitsBytes of [2 ** 20, 64 * vocabulary * 4]) {
        await assertLogProbs({ rows: 70, channels: 12, vocabulary, parts, logitsBytes, device });
      }
    }
  });
}

Deno.test("tokenLogProbs adds adapters to a head in parts, and compares heads in parts", async () => {
  const [rows, channels, vocabulary] = [10, 8, 22];
  const [hidden, head, a, b] = [rows * channels, vocabulary * channels, 4 * channels, vocabulary * 4].map(
    (count, seed) => randomValues(count, { seed }).map((value) => Math.round(value * 64) / 64), // as bfloat16 holds them
  ) as Float32Array<ArrayBuffer>[];
  const merged = plus(
    head!,
    product({ values: b!, rows: vocabulary, columns: 4 }, { values: a!, rows: 4, columns: channels }),
  );
  const logits = (values: ArrayLike<number>) =>
    product(
      { values: hidden!, rows, columns: channels },
      transpose({ values, rows: vocabulary, columns: channels }),
    );
  const targets = Array.from({ length: rows }, (_, i) => (i * 5) % vocabulary);
  const graph = createGraph(device);
  const parts = [
    filled(device, head!.slice(0, 13 * channels), { shape: [13, channels] }),
    packed(device, head!.slice(13 * channels), [9, channels]),
  ];
  const x = filled(device, hidden!, { shape: [rows, channels] });
  const adapter = {
    a: filled(device, a!, { shape: [4, channels] }),
    rank: 4,
    parts: [{ start: 0, scale: 1, b: filled(device, b!, { shape: [vocabulary, 4] }) }],
  };
  const { logProbs, others } = tokenLogProbs(graph, x, {
    head: parts,
    adapter,
    targets: filledInput(graph, "targets", { values: targets, shape: [rows] }),
    others: [{ hidden: x, head: parts }],
  });
  output(graph, "adapted", logProbs);
  output(graph, "plain", others[0]!.logProbs);
  const results = await runOnce(graph);
  const options = { vocabulary, targets };
  assertClose(results.plain!, reference(logits(head!), options), { tolerance: 2e-6, what: "plain" });
  assertClose(results.adapted!, reference(logits(merged), options), { tolerance: 2e-6, what: "adapted" });
});

Deno.test("tokenLogProbs keeps no more logits than allowed", async () => {
  const bytesOfLogits = async (logitsBytes: number) => {
    const { graph } = await run({ rows: 150, channels: 4, vocabulary: 20, logitsBytes });
    const storages = graph.dispatches.flatMap(({ bindings }) => bindings.map(([{ storage }]) => storage));
    return Math.max(...storages.filter(({ label }) => label === "matmul").map(({ bytes }) => bytes));
  };
  assertEquals(await bytesOfLogits(150 * 20 * 4), 128 * 20 * 4); // chunks are multiples of 64 rows
  assertEquals(await bytesOfLogits(192 * 20 * 4), 150 * 20 * 4);
  assertEquals(await bytesOfLogits(64 * 20 * 4), 64 * 20 * 4);
  assertEquals(await bytesOfLogits(1), 64 * 20 * 4); // the least there is
});

Deno.test("tokenLogProbs of logits of ±80 is exact where float32 can be", async () => {
  for (const device of Object.values(await testDevices())) {
    // A hidden state of one 1 picks a column of the head as the logits, without rounding.
    const vocabulary = 6;
    const columns = [[80, -80, 0, 0, 80, -80], [-80, -80, -80, -80, -80, 80], [0, 0, 0, 0, 0, 0]];
    const head = Float32Array.from({ length: vocabulary * 4 }, (_, i) => columns[i % 4]?.[i >> 2] ?? 0);
    const rows: [column: number, target: number][] = [[0, 0], [0, 1], [0, 2], [1, 5], [1, 0], [2, 3]];
    const hidden = Float32Array.from(
      { length: rows.length * 4 },
      (_, i) => rows[i >> 2]![0] === i % 4 ? 1 : 0,
    );
    const graph = createGraph(device);
    const x = filled(device, hidden, { shape: [rows.length, 4] });
    watchGradient(graph, x, "dx");
    const { logProbs } = tokenLogProbs(graph, x, {
      head: filled(device, head, { shape: [vocabulary, 4] }),
      targets: filledInput(graph, "targets", {
        values: rows.map(([, target]) => target),
        shape: [rows.length],
      }),
    });
    const ones = filled(device, new Float32Array(rows.length).fill(1), { shape: [rows.length] });
    backward(graph, new Map([[logProbs, ones]]));
    output(graph, "logProbs", logProbs);
    const { logProbs: actual, dx } = await runOnce(graph);
    const expected = [-Math.LN2, -160 - Math.LN2, -80 - Math.LN2, 0, -160, -Math.log(6)];
    // Half a unit in the last place of 80 and of 160.
    assertClose(actual!, expected, { tolerance: 1e-7, what: "log-probs" });
    assert(dx!.every(Number.isFinite));
    // Row 1: −80 instead of the mean of two tokens at 80; row 3: the sure token, nothing to learn.
    assertClose([dx![4]!, dx![13]!], [-160, 0], { tolerance: 1e-6, what: "dx" });
  }
});

Deno.test("tokenLogProbs is the same bits in chunks as at once", async () => {
  const options = { rows: 130, channels: 16, vocabulary: 24 };
  const { results: once } = await run(options);
  const { results: chunked } = await run({ ...options, logitsBytes: 64 * 24 * 4 });
  assertEquals(chunked.logProbs, once.logProbs);
  assertEquals(chunked.dx, once.dx);
});

for (const [kind, device] of Object.entries(await testDevices())) {
  Deno.test(`tokenLogProbs as chosen for ${kind} adapters compares other models over the whole vocabulary`, async () => {
    const [rows, channels, vocabulary] = [70, 8, 37];
    const targets = Array.from({ length: rows }, (_, i) => (i * 5) % vocabulary);
    const model = (seed: number) => ({
      hidden: randomValues(rows * channels, { seed }),
      head: randomValues(vocabulary * channels, { seed: seed + 1, scale: 2 }),
    });
    const upload = ({ hidden, head }: ReturnType<typeof model>) => ({
      hidden: filled(device, hidden, { shape: [rows, channels] }),
      head: filled(device, head, { shape: [vocabulary, channels] }),
    });
    const logits = ({ hidden, head }: ReturnType<typeof model>) =>
      product(
        { values: hidden, rows, columns: channels },
        transpose({ values: head, rows: vocabulary, columns: channels }),
      );
    const [own, other] = [model(1), model(3)];
    for (const logitsBytes of [2 ** 20, 64 * vocabulary * 4]) {
      const graph = createGraph(device);
      const { hidden, head } = upload(own);
      const { logProbs, others } = tokenLogProbs(graph, hidden, {
        head,
        targets: filledInput(graph, "targets", { values: targets, shape: [rows] }),
        others: [upload(other), { hidden, head }],
        logitsBytes,
      });
      output(graph, "own", logProbs);
      output(graph, "other", others[0]!.logProbs);
      output(graph, "divergence", others[0]!.divergences);
      output(graph, "itself", others[1]!.logProbs);
      output(graph, "nothing", others[1]!.divergences);
      const results = await runOnce(graph);
      const everyToken = (values: ArrayLike<number>, row: number) =>
        reference(
          Float64Array.from(
            { length: vocabulary ** 2 },
            (_, i) => values[row * vocabulary + i % vocabulary]!,
          ),
          {
            vocabulary,
            targets: Array.from({ length: vocabulary }, (_, token) => token),
          },
        );
      const divergences = targets.map((_, row) => {
        const [p, q] = [everyToken(logits(own), row), everyToken(logits(other), row)];
        return p.reduce((sum, logP, token) => sum + Math.exp(logP) * (logP - q[token]!), 0);
      });
      const options = { vocabulary, targets };
      assertClose(results.own!, reference(logits(own), options), { tolerance: 2e-6, what: "own" });
      assertClose(results.other!, reference(logits(other), options), { tolerance: 2e-6, what: "other" });
      assertClose(results.divergence!, divergences, { tolerance: 2e-6, what: "divergence" });
      assertEquals(results.itself, results.own);
      assertEquals([...results.nothing!], Array(rows).fill(0));
    }
  });
}

for (const [kind, device] of Object.entries(await testDevices())) {
  for (const vocabulary of [5, 64, 131]) {
    Deno.test(`tokenLogProbs as chosen for ${kind} adapters over ${vocabulary} tokens says how likely targets are for the model itself`, async () => {
      const [rows, channels] = [130, 12]; // three chunks of rows
      const hidden = randomValues(rows * channels, { seed: 5, scale: 2 });
      const head = randomValues(vocabulary * channels, { seed: 6, scale: 2 });
      const targets = Array.from({ length: rows }, (_, i) => (i * 5) % vocabulary);
      const graph = createGraph(device);
      const { logWeights } = tokenLogProbs(graph, filled(device, hidden, { shape: [rows, channels] }), {
        head: filled(device, head, { shape: [vocabulary, channels] }),
        targets: filledInput(graph, "targets", { values: targets, shape: [rows] }),
        logWeights: true,
        logitsBytes: 64 * 4 * vocabulary,
      });
      output(graph, "logWeights", logWeights!);
      const results = await runOnce(graph);
      const logits = product(
        { values: hidden, rows, columns: channels },
        transpose({ values: head, rows: vocabulary, columns: channels }),
      );
      const logProbs = reference(logits, { vocabulary, targets });
      // From the definition: Σ_v p(v)² over the log-probs of every token of the vocabulary.
      const squares = Float64Array.from({ length: rows }, () => 0);
      for (let v = 0; v < vocabulary; v++) {
        reference(logits, { vocabulary, targets: targets.map(() => v) })
          .forEach((logProb, row) => squares[row]! += Math.exp(logProb) ** 2);
      }
      const expected = Float64Array.from(logProbs, (logProb, row) => logProb - Math.log(squares[row]!));
      assertClose(results.logWeights!, expected, { tolerance: 5e-6, what: "log-weights" });
    });
  }
}

Deno.test("tokenLogProbs computes nothing for log-weights that are not asked for", () => {
  const graph = createGraph(device);
  const { logWeights } = tokenLogProbs(graph, filled(device, new Float32Array(8), { shape: [2, 4] }), {
    head: filled(device, new Float32Array(20), { shape: [5, 4] }),
    targets: filledInput(graph, "targets", { values: [0, 1], shape: [2] }),
  });
  assertEquals(logWeights, undefined);
  assert(graph.dispatches.every(({ kernel }) => kernel.label !== "token log-weights"));
});
