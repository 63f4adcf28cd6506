import type { Size } from "../core/geometry";
import type { View } from "../core/view";
import { toScreen } from "../core/view";

export function newCanvas(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

interface Scratch {
  image: ImageData;
  words: Uint32Array;
}

const scratches = new Map<string, Scratch>();

/** Pixels to paint into, kept by their size: tiles have few sizes, and are painted one after the other. */
export function pixelsOf(width: number, height: number): Scratch {
  const key = `${width}x${height}`;
  let scratch = scratches.get(key);
  if (!scratch) {
    const image = new ImageData(width, height);
    scratch = { image, words: new Uint32Array(image.data.buffer) };
    if (scratches.size > 64) scratches.clear();
    scratches.set(key, scratch);
  }
  return scratch;
}

/** Let a context draw in the pixels of a level, `factor` image pixels each, where the view shows them. */
export function placeLevel(context: CanvasRenderingContext2D, view: View, pane: Size, factor: number): void {
  const origin = toScreen(view, pane, { x: 0, y: 0 });
  const scale = view.zoom * factor;
  context.transform(view.mirrored ? -scale : scale, 0, 0, scale, origin.x, origin.y);
}
