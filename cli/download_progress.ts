/** Shows on standard error what a download from the hub does. */
import type { HubEvent } from "../hub/request.ts";
import { createProgress, type ProgressOptions } from "./progress.ts";

/** The display of downloads. */
export interface DownloadProgress {
  /** Takes what happens. */
  readonly onEvent: (event: HubEvent) => void;
  /** Leaves the line of the bar; call it also when a download fails. */
  finish(): void;
}

/** Creates the display; without downloads it shows nothing. */
export function createDownloadProgress(options: ProgressOptions = {}): DownloadProgress {
  let progress = createProgress(options);
  let total = 0;
  const finish = () => progress.finish();
  return {
    onEvent(event) {
      if (event.type === "message") return progress.print(event.text);
      if (event.total !== total) {
        finish();
        [progress, total] = [createProgress(options), event.total]; // another repository, with a pace of its own
      }
      progress.update({ step: event.received, total, unit: "bytes" });
    },
    finish,
  };
}

/** Does something with a display of downloads, which is gone afterwards. */
export async function withDownloads<T>(
  work: (onEvent: DownloadProgress["onEvent"]) => Promise<T>,
): Promise<T> {
  const { onEvent, finish } = createDownloadProgress();
  try {
    return await work(onEvent);
  } finally {
    finish();
  }
}
