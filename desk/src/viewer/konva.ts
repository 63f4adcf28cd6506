/** The parts of Konva that the page draws with; the whole library is twice as large. */
import { Konva } from "konva/lib/Global";

export { Layer } from "konva/lib/Layer";
export { Shape } from "konva/lib/Shape";
export { Circle } from "konva/lib/shapes/Circle";
export { Line } from "konva/lib/shapes/Line";
export { Rect } from "konva/lib/shapes/Rect";
export { Stage } from "konva/lib/Stage";

/** Device pixels in a CSS pixel, as Konva takes them. */
export function pixelRatio(): number {
  return Konva.pixelRatio || window.devicePixelRatio || 1;
}
