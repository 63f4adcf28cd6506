/**
 * How grey values become brightness: a window of DICOM PS3.3 C.11.2.1.2 or C.11.2.1.3, or a table (C.11.2.1.1) with the
 * brightness (0 to 255) of each grey value from 0 on.
 */
export type Window =
  | { kind: "linear" | "linear_exact" | "sigmoid"; center: number; width: number }
  | { kind: "table"; table: readonly number[] };

export const GREYS = 65536;

/** Brightness from 0 to 1 of a grey value, by DICOM PS3.3 C.11.2.1.2 (linear), C.11.2.1.3.2 and C.11.2.1.3.1. */
function brightness(window: Exclude<Window, { kind: "table" }>, value: number): number {
  const { kind, center, width } = window;
  if (kind === "sigmoid") return 1 / (1 + Math.exp((-4 * (value - center)) / width));
  if (kind === "linear_exact") {
    if (value <= center - width / 2) return 0;
    return value > center + width / 2 ? 1 : (value - center) / width + 0.5;
  }
  if (value <= center - 0.5 - (width - 1) / 2) return 0;
  return value > center - 0.5 + (width - 1) / 2 ? 1 : (value - (center - 0.5)) / (width - 1) + 0.5;
}

/**
 * The brightness (0 to 255) of each of the 65,536 grey values.
 *
 * `inverted` is for images whose lowest value is white (MONOCHROME1), or a reader who asks for it; both together
 * cancel each other, and the caller passes the exclusive or.
 */
export function lookupTable(window: Window, inverted: boolean): Uint8Array {
  const table = new Uint8Array(GREYS);
  if (window.kind === "table") fillFromTable(table, window.table);
  else {
    const sane = { ...window, width: Math.max(window.kind === "linear" ? 1 : 1e-6, window.width) };
    for (let value = 0; value < GREYS; value++)
      table[value] = Math.floor(brightness(sane, value) * 255 + 0.5);
  }
  if (inverted) for (let value = 0; value < GREYS; value++) table[value] = 255 - table[value];
  return table;
}

/** Above the last entry stands its value. */
function fillFromTable(table: Uint8Array, entries: readonly number[]): void {
  if (entries.length === 0) throw new RangeError("expected a table with at least one value, found none");
  for (let value = 0; value < GREYS; value++) table[value] = entries[Math.min(entries.length - 1, value)];
}

/** Write the brightness of grey values as opaque pixels (RGBA, one 32-bit word each, little endian). */
export function paintGreys(greys: Uint16Array, table: Uint8Array, pixels: Uint32Array): void {
  for (let at = 0; at < greys.length; at++) pixels[at] = table[greys[at]] * 0x010101 + 0xff000000;
}

/** The window after a drag: to the right it widens, upwards it brightens; steps follow the window's own width. */
export function dragged(window: Window, dx: number, dy: number, fallback: Window): Window {
  const start = window.kind === "table" ? fallback : window;
  if (start.kind === "table") return start;
  const step = Math.max(1, start.width) / 300;
  return {
    kind: start.kind,
    center: Math.round((start.center + dy * step) * 10) / 10,
    width: Math.max(2, Math.round(start.width * Math.exp(dx / 250) * 10) / 10),
  };
}
