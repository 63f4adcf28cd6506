import type { LabelClass, Preferences, ServerWindow } from "./net/types";
import * as api from "./net/api";

/** A value that others follow. */
export class Signal<T> {
  private readonly followers = new Set<(value: T) => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set(value: T): void {
    this.current = value;
    for (const follower of [...this.followers]) follower(value);
  }

  /** Call now and at each change; the answer ends it. */
  follow(follower: (value: T) => void): () => void {
    this.followers.add(follower);
    follower(this.current);
    return () => this.followers.delete(follower);
  }
}

export const TOOLS = [
  "brush",
  "eraser",
  "polygon",
  "live-wire",
  "grow",
  "fill",
  "delete",
  "copy",
  "predict",
  "ruler",
  "hand",
] as const;
export type ToolName = (typeof TOOLS)[number];

/** How the reader works, and sees the image. What is kept from session to session is in `Preferences`. */
export interface Settings {
  tool: ToolName;
  label: number;
  radius: number;
  opacity: number;
  outline: boolean;
  maskShown: boolean;
  inverted: boolean;
  magnifier: boolean;
  window: ServerWindow | null;
  /** Paint over this class only; null paints over all that are not locked. */
  over: number | null;
  locked: ReadonlySet<number>;
  order: string;
  letterKeys: boolean;
  pressure: boolean;
}

export const settings = new Signal<Settings>({
  tool: "brush",
  label: 1,
  radius: 12,
  opacity: 0.3,
  outline: true,
  maskShown: true,
  inverted: false,
  magnifier: false,
  window: null,
  over: null,
  locked: new Set(),
  order: "need",
  letterKeys: true,
  pressure: false,
});

const KEPT = [
  "radius",
  "opacity",
  "outline",
  "inverted",
  "window",
  "order",
  "letterKeys",
  "pressure",
] as const;
const PAUSE_MS = 800;
let timer: ReturnType<typeof setTimeout> | undefined;

export function change(changes: Partial<Settings>): void {
  settings.set({ ...settings.value, ...changes });
  if (!KEPT.some((name) => name in changes)) return;
  clearTimeout(timer);
  timer = setTimeout(keep, PAUSE_MS);
}

/** Keep at once what still waits to be kept: the page is being left. */
export function keepNow(): void {
  if (timer === undefined) return;
  clearTimeout(timer);
  keep();
}

function keep(): void {
  timer = undefined;
  const kept = Object.fromEntries(KEPT.map((name) => [name, settings.value[name]]));
  // What a reader prefers is a comfort: where it cannot be kept, nobody needs to be stopped.
  api.keepPreferences(kept as Preferences).catch(() => undefined);
}

/** Take over what the reader had set in an earlier session; what does not fit is left. */
export async function recall(): Promise<void> {
  const known = (await api.preferences().catch(() => ({}))) as Record<string, unknown>;
  const fits: Record<string, unknown> = {};
  for (const name of KEPT) {
    const mine = settings.value[name];
    if (name === "window" ? isWindow(known[name]) : typeof known[name] === typeof mine)
      fits[name] = known[name];
  }
  settings.set({ ...settings.value, ...(fits as Partial<Settings>) });
}

function isWindow(value: unknown): value is ServerWindow {
  const given = value as Partial<ServerWindow> | null | undefined;
  return typeof given?.name === "string" && Number.isFinite(given.center) && Number.isFinite(given.width);
}

/** Name and colour of a class; a class that the project does not name has its number. */
export function nameOf(classes: readonly LabelClass[], label: number): string {
  return classes.find((each) => each.index === label)?.name ?? `class ${label}`;
}
