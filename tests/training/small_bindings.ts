import type { Device } from "../../kernels/device.ts";
import { testDevice } from "../kernels/harness.ts";

/** The device, as if its bindings held no more than `bytes`. */
export async function smallBindings(bytes: number): Promise<Device> {
  const device = await testDevice();
  const limits = new Proxy(device.gpu.limits, {
    get: (target, key) => key === "maxStorageBufferBindingSize" ? bytes : Reflect.get(target, key, target),
  });
  const gpu = new Proxy(device.gpu, {
    get(target, key) {
      if (key === "limits") return limits;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { ...device, gpu };
}
