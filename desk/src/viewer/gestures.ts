import type { Point } from "../core/geometry";

/** A pointer over the canvas, in CSS pixels of it. */
export interface Touch extends Point {
  /** 0 to 1 for a pen; 0.5 for a mouse's button. */
  pressure: number;
  shift: boolean;
  alt: boolean;
  /** The pen is turned round, to its eraser. */
  eraser: boolean;
  kind: string;
}

/** What the hands want, whatever they hold. */
export interface Gestures {
  pan: (dx: number, dy: number) => void;
  zoom: (at: Point, factor: number) => void;
  window: (dx: number, dy: number) => void;
  hover: (at: Touch | null) => void;
  down: (at: Touch) => void;
  move: (at: Touch) => void;
  up: (at: Touch) => void;
  cancel: () => void;
  double: (at: Touch) => void;
  /** Whether the main button pans: the hand tool, or the space bar held. */
  pans: () => boolean;
}

type Mode = "none" | "draw" | "pan" | "window" | "pinch";

/** Tell mouse, touch and pen apart: one finger draws, two move; the right button windows, the middle one pans. */
export function listen(element: HTMLElement, wants: Gestures): () => void {
  const fingers = new Map<number, Point>();
  let mode: Mode = "none";
  let last: Point = { x: 0, y: 0 };

  const place = (event: PointerEvent | WheelEvent | MouseEvent): Point => {
    const frame = element.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };
  const touch = (event: PointerEvent): Touch => ({
    ...place(event),
    pressure: event.pressure,
    shift: event.shiftKey,
    alt: event.altKey,
    eraser: (event.buttons & 32) !== 0,
    kind: event.pointerType,
  });

  const modeOf = (event: PointerEvent): Mode => {
    if (event.button === 1) return "pan";
    if (event.button === 2 && event.pointerType === "mouse") return "window";
    return wants.pans() ? "pan" : "draw";
  };

  const down = (event: PointerEvent) => {
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    if (event.pointerType === "touch" && fingers.size === 2) {
      if (mode === "draw") wants.cancel();
      mode = "pinch";
      return;
    }
    if (mode !== "none") return;
    mode = modeOf(event);
    last = place(event);
    if (mode === "draw") wants.down(touch(event));
    event.preventDefault();
  };

  const pinch = (event: PointerEvent) => {
    const [first, second] = [...fingers.values()];
    const before = span(first, second);
    fingers.set(event.pointerId, place(event));
    const [one, other] = [...fingers.values()];
    const after = span(one, other);
    wants.pan(after.x - before.x, after.y - before.y);
    if (before.length > 0) wants.zoom(after, after.length / before.length);
  };

  const move = (event: PointerEvent) => {
    if (mode === "pinch") {
      if (fingers.has(event.pointerId)) pinch(event);
      return;
    }
    const at = place(event);
    if (mode === "draw") {
      // A browser hands out one event a frame; the places in between make the stroke smooth.
      const between = event.getCoalescedEvents();
      for (const each of between.length > 0 ? between : [event]) wants.move(touch(each));
    } else if (mode === "pan") wants.pan(at.x - last.x, at.y - last.y);
    else if (mode === "window") wants.window(at.x - last.x, at.y - last.y);
    last = at;
    wants.hover(event.pointerType === "touch" ? null : touch(event));
  };

  const up = (event: PointerEvent) => {
    fingers.delete(event.pointerId);
    if (mode === "pinch") {
      if (fingers.size === 0) mode = "none";
      return;
    }
    if (mode === "draw") wants.up(touch(event));
    mode = "none";
  };

  const lost = (event: PointerEvent) => {
    fingers.delete(event.pointerId);
    if (mode === "draw") wants.cancel();
    mode = "none";
  };

  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    wants.zoom(place(event), Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)));
  };

  const stop = new AbortController();
  const options = { signal: stop.signal };
  element.addEventListener("pointerdown", down, options);
  element.addEventListener("pointermove", move, options);
  element.addEventListener("pointerup", up, options);
  element.addEventListener("pointercancel", lost, options);
  element.addEventListener("pointerleave", () => wants.hover(null), options);
  element.addEventListener("wheel", wheel, { ...options, passive: false });
  element.addEventListener("contextmenu", (event) => event.preventDefault(), options);
  element.addEventListener(
    "dblclick",
    (event) =>
      wants.double({
        ...place(event),
        pressure: 0.5,
        shift: event.shiftKey,
        alt: event.altKey,
        eraser: false,
        kind: "mouse",
      }),
    options,
  );
  return () => stop.abort();
}

function span(first: Point, second: Point): Point & { length: number } {
  return {
    x: (first.x + second.x) / 2,
    y: (first.y + second.y) / 2,
    length: Math.hypot(second.x - first.x, second.y - first.y),
  };
}
