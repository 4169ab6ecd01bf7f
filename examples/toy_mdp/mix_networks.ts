/** References of many networks moving at once, each by its own share. */
import { dispatch, type Graph, type ParameterSet, type Tensor } from "@tr/align/kernels";

const WGSL = `
override SIZE: u32; // elements of a network

struct Sizes { elements: u32 }
@group(0) @binding(0) var<storage, read_write> reference: array<f32>;
@group(0) @binding(1) var<storage, read> policy: array<f32>;
@group(0) @binding(2) var<storage, read> alpha: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.elements) { return; }
  let share = alpha[i / SIZE];
  // A share of 0 or 1 keeps or copies exactly, whatever the other number is.
  reference[i] = select(share * policy[i] + (1.0 - share) * reference[i], policy[i], share == 1.0);
}`;

/** Threads in a workgroup of the kernel. */
const THREADS = 64;
/** WebGPU's most workgroups in a dimension. */
const MOST_GROUPS = 65_535;

/**
 * reference ← α policy + (1 − α) reference, with an α for each network: `mixParameters` has one for all.
 *
 * @param sets Of one layout, all tensors [networks, …].
 * @param options.alpha [networks].
 */
export function mixNetworks(
  graph: Graph,
  sets: { reference: ParameterSet; policy: ParameterSet },
  { alpha }: { alpha: Tensor },
): void {
  const networks = alpha.shape[0]!;
  for (const [name, reference] of sets.reference.tensors) {
    const elements = reference.shape.reduce((product, size) => product * size, 1);
    const groups = Math.ceil(elements / THREADS);
    const across = Math.min(groups, MOST_GROUPS);
    dispatch(graph, {
      kernel: { label: "mix of networks", code: WGSL, constants: { SIZE: elements / networks } },
      bindings: [[reference, "update"], [sets.policy.tensors.get(name)!, "read"], [alpha, "read"]],
      uniforms: [elements],
      workgroups: [across, Math.ceil(groups / across)],
    });
  }
}
