import type { Window } from "./core/window";
import { dragged, lookupTable } from "./core/window";
import type { Item, ServerWindow } from "./net/types";
import { change, settings } from "./state";

/** The window of an image: the one that the reader used last where the image offers it or has as many bits. */
export function windowOf(item: Item): ServerWindow {
  const last = settings.value.window;
  if (last) {
    if (last.name === ownName(item)) return last;
    const same = item.windows.find((window) => window.name === last.name);
    if (same) return same;
  }
  return item.windows[0] ?? plain(item);
}

function ownName(item: Item): string {
  return `own, ${item.bits} bits`;
}

function plain(item: Item): ServerWindow {
  const { minimum, maximum } = item;
  return {
    name: "values present",
    kind: "linear_exact",
    center: (minimum + maximum) / 2,
    width: Math.max(1, maximum - minimum),
  };
}

function calculated(window: ServerWindow): Window {
  const { kind, center, width, table } = window;
  return kind === "table" ? { kind, table: table ?? [] } : { kind, center, width };
}

/** The lookup table for an image as the reader wants it. */
export function tableOf(item: Item): Uint8Array {
  // Tiles are bright where tissue is: what MONOCHROME1 turns round, the server has turned already (`inverted`: false).
  return lookupTable(calculated(windowOf(item)), settings.value.inverted !== item.inverted);
}

/** Change the window by a drag of the right button. */
export function dragWindow(item: Item, dx: number, dy: number): void {
  const start = calculated(windowOf(item));
  const next = dragged(start, dx, dy, calculated(plain(item)));
  if (next.kind !== "table") setOwn(item, next.kind, next.center, next.width);
}

export function setOwn(item: Item, kind: ServerWindow["kind"], center: number, width: number): void {
  change({ window: { name: ownName(item), kind: kind === "table" ? "linear_exact" : kind, center, width } });
}

/** Take a preset of the image; it is remembered by its name. */
export function setPreset(window: ServerWindow): void {
  const { name, kind, center, width } = window;
  change({ window: { name, kind, center, width } });
}

export function nextPreset(item: Item): void {
  const at = item.windows.findIndex((window) => window.name === windowOf(item).name);
  const next = item.windows[(at + 1) % Math.max(1, item.windows.length)];
  if (next) setPreset(next);
}
