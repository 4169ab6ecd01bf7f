import { assert, assertEquals, assertThrows } from "@std/assert";
import { gelu } from "../../kernels/gelu.ts";
import { backward, createGraph, dispatch, input, output, temporary } from "../../kernels/graph.ts";
import erfWgsl from "../../kernels/erf.wgsl" with { type: "text" };
import { assertClose, filled, randomValues, runOnce, testDevice, watchGradient } from "./harness.ts";
import { erf, gelu as reference, type GeluApproximation, geluGradient } from "./references/gelu.ts";

const device = await testDevice();
const approximations: GeluApproximation[] = ["none", "tanh"];

/** GELU of `x` and its gradient. */
async function run(
  x: Float32Array<ArrayBuffer>,
  { approximation, gradient }: { approximation: GeluApproximation; gradient: Float32Array<ArrayBuffer> },
) {
  const shape = [x.length / 4, 4];
  const graph = createGraph(device);
  const tensor = filled(device, x, { shape });
  watchGradient(graph, tensor, "dx");
  const y = gelu(graph, tensor, { approximation });
  backward(graph, new Map([[y, filled(device, gradient, { shape })]]));
  output(graph, "y", y);
  return await runOnce(graph) as { y: Float32Array; dx: Float32Array };
}

/** f of every number, by a function of erf.wgsl. */
async function evaluate(name: string, x: Float32Array<ArrayBuffer>): Promise<Float32Array> {
  const graph = createGraph(device);
  const y = temporary([x.length], "y");
  const code = `${erfWgsl}
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&x)) { y[id.x] = ${name}(x[id.x]); }
}`;
  dispatch(graph, {
    kernel: { label: name, code },
    bindings: [[filled(device, x, { shape: [x.length] }), "read"], [y, "write"]],
    workgroups: [Math.ceil(x.length / 256)],
  });
  output(graph, "y", y);
  return (await runOnce(graph)).y!;
}

/** From −6 to 6, and, near 0 on both sides, from 1e-30 to 1. */
const points = Float32Array.from([
  ...Array.from({ length: 40000 }, (_, i) => -6 + 12 * i / 39999),
  ...Array.from({ length: 1000 }, (_, i) => 10 ** (-30 + 30 * i / 999)).flatMap((size) => [size, -size]),
]);

Deno.test("erf in WGSL is the float64 series to 3e-7, near 0 and everywhere in relative terms too", async () => {
  const actual = await evaluate("erf", points);
  points.forEach((z, i) => {
    const wanted = erf(z);
    const error = Math.abs(actual[i]! - wanted);
    // Rounding of float32 and the polynomials' 4e-8; WGSL allows exp and division a few units more.
    assert(error <= 3e-7 * Math.abs(wanted), `erf(${z}) is ${actual[i]}, wanted ${wanted}`);
  });
  assertEquals([...await evaluate("erf", Float32Array.from([0, 40, -40, 3e38]))], [0, 1, -1, 1]);
});

Deno.test("the normal distribution in WGSL keeps its digits where it is small", async () => {
  const actual = await evaluate("normal_cdf", Float32Array.from([-3, -5, -8, -3e38, 0, 3, 8, 3e38]));
  // Published to 15 digits (mpmath 1.2.1, ncdf); exp(−32) carries the rounding of 32, some 2e-6.
  const small = [0.00134989803163009, 2.86651571879194e-7, 6.22096057427178e-16];
  small.forEach((wanted, i) => {
    assert(Math.abs(actual[i]! / wanted - 1) < 5e-6, `${actual[i]}, wanted ${wanted}`);
  });
  assertClose(actual.subarray(3), [0, 0.5, 1 - small[0]!, 1, 1], { tolerance: 1e-7, what: "Φ" });
});

for (const approximation of approximations) {
  Deno.test(`gelu, approximation ${approximation}, and its gradient are the float64 ones from −6 to 6`, async () => {
    const gradient = randomValues(points.length, { seed: 1 });
    const { y, dx } = await run(points, { approximation, gradient });
    const wanted = reference(points, approximation);
    const wantedGradient = geluGradient(points, { approximation, gradient });
    points.forEach((x, i) => {
      // Relative to x: what is off in Φ; the tails' exp has arguments up to 50.
      const [error, off] = [Math.abs(y[i]! - wanted[i]!), Math.abs(dx[i]! - wantedGradient[i]!)];
      assert(error <= 4e-7 * Math.abs(x), `gelu(${x}) is ${y[i]}, wanted ${wanted[i]}`);
      assert(
        off <= 1e-6 * Math.abs(gradient[i]!),
        `gradient at ${x} is ${dx[i]}, wanted ${wantedGradient[i]}`,
      );
    });
  });

  Deno.test(`gelu, approximation ${approximation}, of ±1e30 and ±100, where powers overflow, stays x or 0`, async () => {
    const x = Float32Array.from([1e30, -1e30, 3e38, -3e38, 100, -100, 12, -12]);
    const { y, dx } = await run(x, { approximation, gradient: new Float32Array(8).fill(1) });
    // Φ(−12) is 1.8e-33.
    x.forEach((at, i) => assert(Math.abs(y[i]! - Math.max(at, 0)) < 1e-30, `gelu(${at}) is ${y[i]}`));
    assertClose(dx, [1, 0, 1, 0, 1, 0, 1, 0], { tolerance: 1e-7, what: "dx" });
  });
}

Deno.test("gelu refuses an odd width", () => {
  const graph = createGraph(device);
  assertThrows(
    () => gelu(graph, input(graph, "x", { shape: [4, 6] }), { approximation: "none" }),
    RangeError,
    "gelu: x is [4,6]; its width must be a multiple of 4",
  );
});
