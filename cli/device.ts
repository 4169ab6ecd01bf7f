/** The GPU device of a command. */
import { type Device, requestDevice } from "../kernels/device.ts";
import { ensureAdapter } from "./adapter.ts";

/** Opens the machine's fastest GPU, installing a software driver first where there is none and that is possible. */
export async function openDevice(): Promise<Device> {
  return await requestDevice(await ensureAdapter());
}
