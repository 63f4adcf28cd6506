import type { Box, Point, Size } from "./geometry";
import { EMPTY, intersect, whole } from "./geometry";

/** Which part of the image is seen: the image place in the middle of the pane, and CSS pixels for each image pixel. */
export interface View {
  center: Point;
  zoom: number;
  mirrored: boolean;
}

export const MOST_ZOOM = 32;

export function toScreen(view: View, pane: Size, point: Point): Point {
  const dx = (point.x - view.center.x) * view.zoom;
  return {
    x: pane.width / 2 + (view.mirrored ? -dx : dx),
    y: pane.height / 2 + (point.y - view.center.y) * view.zoom,
  };
}

export function toImage(view: View, pane: Size, point: Point): Point {
  const dx = (point.x - pane.width / 2) / view.zoom;
  return {
    x: view.center.x + (view.mirrored ? -dx : dx),
    y: view.center.y + (point.y - pane.height / 2) / view.zoom,
  };
}

/** The zoom at which the whole image is seen. */
export function fitZoom(image: Size, pane: Size): number {
  return Math.min(pane.width / image.width, pane.height / image.height);
}

export function fit(image: Size, pane: Size, mirrored = false): View {
  return { center: { x: image.width / 2, y: image.height / 2 }, zoom: fitZoom(image, pane), mirrored };
}

/** The view with another zoom, in which the image place under `at` (CSS pixels) stays where it is. */
export function zoomAt(view: View, pane: Size, image: Size, at: Point, factor: number): View {
  const least = Math.min(1, fitZoom(image, pane)) / 2;
  const zoom = Math.max(least, Math.min(MOST_ZOOM, view.zoom * factor));
  const fixed = toImage(view, pane, at);
  const share = view.zoom / zoom;
  const center = {
    x: fixed.x + (view.center.x - fixed.x) * share,
    y: fixed.y + (view.center.y - fixed.y) * share,
  };
  return held({ ...view, center, zoom }, image);
}

export function panned(view: View, image: Size, dx: number, dy: number): View {
  const sign = view.mirrored ? 1 : -1;
  const center = { x: view.center.x + (sign * dx) / view.zoom, y: view.center.y - dy / view.zoom };
  return held({ ...view, center }, image);
}

/** The middle of the pane stays within the image, so that the image cannot be lost from sight. */
export function held(view: View, image: Size): View {
  const center = {
    x: Math.max(0, Math.min(image.width, view.center.x)),
    y: Math.max(0, Math.min(image.height, view.center.y)),
  };
  return { ...view, center };
}

/**
 * The view at which an image pixel is exactly a device pixel, set onto whole pixels so that nothing is resampled.
 *
 * `ratio` is the number of device pixels in a CSS pixel.
 */
export function aligned(view: View, pane: Size, zoom: number, ratio: number): View {
  const at = { ...view, zoom };
  const origin = toScreen(at, pane, { x: 0, y: 0 });
  const dx = Math.round(origin.x * ratio) / ratio - origin.x;
  const dy = Math.round(origin.y * ratio) / ratio - origin.y;
  return {
    ...at,
    center: { x: at.center.x + ((at.mirrored ? 1 : -1) * dx) / zoom, y: at.center.y - dy / zoom },
  };
}

/** The part of the image that a pane shows, in whole pixels. */
export function visiblePart(view: View, pane: Size, image: Size): Box {
  if (pane.width <= 0 || pane.height <= 0) return EMPTY;
  const halfWidth = pane.width / 2 / view.zoom;
  const halfHeight = pane.height / 2 / view.zoom;
  const x = Math.floor(view.center.x - halfWidth);
  const y = Math.floor(view.center.y - halfHeight);
  const box = {
    x,
    y,
    width: Math.ceil(view.center.x + halfWidth) - x,
    height: Math.ceil(view.center.y + halfHeight) - y,
  };
  return intersect(box, whole(image));
}

/** The view that shows a box in the middle with room around it. */
export function viewOf(box: Box, pane: Size, image: Size, mirrored: boolean): View {
  const room = { width: box.width * 3 + 64, height: box.height * 3 + 64 };
  const zoom = Math.max(fitZoom(image, pane), Math.min(2, fitZoom(room, pane)));
  return { center: { x: box.x + box.width / 2, y: box.y + box.height / 2 }, zoom, mirrored };
}
