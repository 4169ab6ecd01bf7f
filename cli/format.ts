/**
 * Numbers as people read them.
 *
 * @module
 */

/** Writes a number of bytes in binary units: `512 B`, `1.5 KiB`, `79.2 GiB`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, { base: 1024, units: [" B", " KiB", " MiB", " GiB", " TiB"] });
}

/** Writes a count in thousands: `999`, `1.2k`, `3.4M`, `7.0B`. */
export function formatCount(count: number): string {
  return scaled(count, { base: 1000, units: ["", "k", "M", "B", "T"] });
}

/** Writes a time in its two largest units: `45s`, `3m 07s`, `2h 05m`, `3d 04h`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [
    Math.floor(whole / 86400),
    Math.floor(whole / 3600),
    Math.floor(whole / 60),
  ];
  const two = (value: number) => String(value).padStart(2, "0");
  if (days > 0) return `${days}d ${two(hours % 24)}h`;
  if (hours > 0) return `${hours}h ${two(minutes % 60)}m`;
  if (minutes > 0) return `${minutes}m ${two(whole % 60)}s`;
  return `${whole}s`;
}

function scaled(value: number, { base, units }: { base: number; units: readonly string[] }): string {
  if (!Number.isFinite(value)) return "?";
  let [rest, power] = [value, 0];
  // Compared as it will be printed, so that 1023.99 KiB becomes 1.0 MiB rather than 1024.0 KiB.
  while (Number(Math.abs(rest).toFixed(power === 0 ? 0 : 1)) >= base && power < units.length - 1) {
    rest /= base;
    power++;
  }
  return `${rest.toFixed(power === 0 ? 0 : 1)}${units[power]}`;
}
