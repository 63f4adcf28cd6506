/** A rectangle of whole pixels of the full-size image; x to the right, y down. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A place in the image; pixel (i, j) covers [i, i + 1) x [j, j + 1). */
export interface Point {
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

export const EMPTY: Box = { x: 0, y: 0, width: 0, height: 0 };

export function isEmpty(box: Box): boolean {
  return box.width <= 0 || box.height <= 0;
}

/** The smallest box around both; an empty box adds nothing. */
export function unite(first: Box, second: Box): Box {
  if (isEmpty(first)) return second;
  if (isEmpty(second)) return first;
  const x = Math.min(first.x, second.x);
  const y = Math.min(first.y, second.y);
  return {
    x,
    y,
    width: Math.max(first.x + first.width, second.x + second.width) - x,
    height: Math.max(first.y + first.height, second.y + second.height) - y,
  };
}

/** The part that both share; EMPTY where they share nothing. */
export function intersect(first: Box, second: Box): Box {
  const x = Math.max(first.x, second.x);
  const y = Math.max(first.y, second.y);
  const width = Math.min(first.x + first.width, second.x + second.width) - x;
  const height = Math.min(first.y + first.height, second.y + second.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : EMPTY;
}

/** The box with `margin` more pixels on each side, cut to an image. */
export function grow(box: Box, margin: number, size: Size): Box {
  const wide = {
    x: box.x - margin,
    y: box.y - margin,
    width: box.width + 2 * margin,
    height: box.height + 2 * margin,
  };
  return intersect(wide, whole(size));
}

export function whole(size: Size): Box {
  return { x: 0, y: 0, width: size.width, height: size.height };
}

/** The box of all pixels that points touch, with a margin in pixels, cut to an image. */
export function boxAround(points: readonly Point[], margin: number, size: Size): Box {
  if (points.length === 0) return EMPTY;
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const x = Math.floor(Math.min(...xs) - margin);
  const y = Math.floor(Math.min(...ys) - margin);
  const width = Math.ceil(Math.max(...xs) + margin) - x;
  const height = Math.ceil(Math.max(...ys) + margin) - y;
  return intersect({ x, y, width, height }, whole(size));
}

/** The same box in the pixels of a pyramid level, which are 2^level pixels wide. */
export function boxAtLevel(box: Box, level: number): Box {
  const factor = 2 ** level;
  const x = Math.floor(box.x / factor);
  const y = Math.floor(box.y / factor);
  return {
    x,
    y,
    width: Math.ceil((box.x + box.width) / factor) - x,
    height: Math.ceil((box.y + box.height) / factor) - y,
  };
}

/** The bytes of a box of an image, row by row. */
export function cutOut(labels: Uint8Array, width: number, box: Box): Uint8Array {
  const part = new Uint8Array(box.width * box.height);
  for (let row = 0; row < box.height; row++) {
    const start = (box.y + row) * width + box.x;
    part.set(labels.subarray(start, start + box.width), row * box.width);
  }
  return part;
}

/** Write the bytes of a box into an image. */
export function putIn(labels: Uint8Array, width: number, box: Box, part: Uint8Array): void {
  for (let row = 0; row < box.height; row++) {
    labels.set(part.subarray(row * box.width, (row + 1) * box.width), (box.y + row) * width + box.x);
  }
}
