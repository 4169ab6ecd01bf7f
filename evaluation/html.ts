const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Makes any text safe inside an HTML element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** Writes a number with three significant digits, the way people do: `12,345`, `0.693`, `−1.5`, `5e-7`. */
export function formatNumber(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return (value < 0 ? "−" : "") + formatSize(size);
}

function formatSize(size: number): string {
  if (!Number.isFinite(size)) return "∞";
  if (size < 1e-3 || size >= 1e9) return Number(size.toPrecision(3)).toExponential().replace("e+", "e");
  if (size < 999.5) return String(Number(size.toPrecision(3)));
  return String(Math.round(size)).replace(/\B(?=(\d{3})+$)/g, ",");
}
