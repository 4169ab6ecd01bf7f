/** The GPU device of a command. */
import { type Device, requestDevice } from "../kernels/device.ts";
import { ensureAdapter } from "./adapter.ts";
import { loadTuning } from "./tuning_file.ts";

/**
 * Opens the machine's fastest GPU, installing a software driver first where there is none and that is possible, with what
 * `tune` has measured on it.
 */
export async function openDevice(): Promise<Device> {
  const device = await requestDevice(await ensureAdapter());
  await loadTuning(device);
  return device;
}
