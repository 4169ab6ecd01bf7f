/** Submissions: which commands reach the GPU together. */
import type { Device } from "./device.ts";

/** Commands that are put together to be submitted. */
export interface Submission {
  /** Where they are recorded; null while there are none. */
  encoder: GPUCommandEncoder | null;
  /** Who has recorded some and may not do so again. */
  readonly users: Set<unknown>;
  /** What is to be done once they are submitted. */
  readonly followUps: (() => void)[];
}

const emptySubmission = (): Submission => ({ encoder: null, users: new Set(), followUps: [] });

/**
 * Submits all at once what `record` runs, copies and clears on the device.
 *
 * @param record May not wait for results; they can be read once this has returned.
 * @returns What `record` returns.
 */
export function submitTogether<T>(device: Device, record: () => T): T {
  if (device.submission !== null) return record();
  const submission = device.submission = emptySubmission();
  try {
    return record();
  } finally {
    device.submission = null;
    submit(device, submission);
  }
}

/**
 * Records commands for the submission that is being put together, or submits them at once where there is none.
 *
 * @param encode Records the commands; returns what is to be done once they are submitted.
 * @param options.user Whose inputs they read, where those are written before the whole submission: what the same user has
 * recorded before is submitted first.
 */
export function encodeCommands(
  device: Device,
  encode: (encoder: GPUCommandEncoder) => (() => void) | void,
  { user }: { user?: unknown } = {},
): void {
  const submission = device.submission ?? emptySubmission();
  if (submission.users.has(user)) submit(device, submission);
  submission.encoder ??= device.gpu.createCommandEncoder();
  const followUp = timed(device, { name: "encode", work: () => encode(submission.encoder!) });
  if (followUp !== undefined) submission.followUps.push(followUp);
  if (user !== undefined) submission.users.add(user);
  if (submission !== device.submission) submit(device, submission);
}

function submit(device: Device, submission: Submission): void {
  if (submission.encoder === null) return;
  const commands = submission.encoder;
  timed(device, { name: "submit", work: () => device.gpu.queue.submit([commands.finish()]) });
  device.counters.submits++;
  submission.encoder = null;
  submission.users.clear();
  for (const followUp of submission.followUps.splice(0)) followUp();
}

/** Does something of the host, and notes its time if the device is being recorded. */
function timed<T>({ recorder }: Device, { name, work }: { name: string; work: () => T }): T {
  return recorder === null ? work() : recorder.time(name, work);
}
