/** In a page: compiles kernels and says what is wrong with them. */
/// <reference types="@webgpu/types" />
import type { Kernel } from "../../kernels/graph.ts";

/** Something that the browser says of a kernel. */
export interface Complaint {
  /** The kernel's label. */
  readonly label: string;
  /** What is wrong, with the line that it is about. */
  readonly message: string;
}

/** Compiles modules, and pipelines where constants are left to be filled in; returns complaints, none if all is well. */
export async function run(kernels: readonly Kernel[]): Promise<Complaint[]> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("no adapter");
  const { maxComputeWorkgroupStorageSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: ["subgroups"],
    requiredLimits: { maxComputeWorkgroupStorageSize },
  });
  const complaints: Complaint[] = [];
  for (const { label, code, constants = {} } of kernels) {
    const lines = code.split("\n");
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    for (const { type, message, lineNum } of messages) {
      complaints.push({ label, message: `${type}: ${message}: ${lines[lineNum - 1]?.trim()}` });
    }
    const isInvalid = await device.popErrorScope() !== null;
    // A module without constants is checked by now; SwiftShader takes minutes to translate the longest ones.
    if (isInvalid || Object.keys(constants).length === 0) continue;
    try {
      await device.createComputePipelineAsync({ layout: "auto", compute: { module, constants } });
    } catch (error) {
      complaints.push({ label, message: String(error) });
    }
  }
  device.destroy();
  return complaints;
}
