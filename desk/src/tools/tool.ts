import type { Shape } from "../viewer/konva";
import type { Point } from "../core/geometry";
import type { Editor } from "../editor";
import type { Pane } from "../viewer/pane";
import type { Touch } from "../viewer/gestures";

/** What a tool works on. */
export interface Bench {
  pane: Pane;
  editor: Editor;
  /** Tell the reader something, in a line that screen readers speak. */
  say: (text: string) => void;
  /** Show that the server works, and tell what went wrong. */
  waiting: <T>(what: string, work: Promise<T>) => Promise<T | null>;
}

/** A place under the pointer: in the image, and on the screen. */
export interface Place {
  image: Point;
  touch: Touch;
}

/** One way to work with the pointer. Each method is called only while the tool is chosen. */
export interface Tool {
  down?(at: Place): void;
  move?(at: Place): void;
  up?(at: Place): void;
  hover?(at: Place | null): void;
  double?(at: Place): void;
  /** The view has moved: handles follow. */
  viewed?(): void;
  /** Enter. */
  finish?(): void;
  /** Backspace. Whether there was something to take back. */
  back?(): boolean;
  /** Escape. Whether there was something to give up. */
  cancel(): boolean;
  /** The tool is put away. */
  end(): void;
}

/** Make a shape of the overlay layer that goes with the tool. */
export function onOverlay<S extends Shape>(pane: Pane, shape: S): S {
  pane.overlay.add(shape);
  return shape;
}
