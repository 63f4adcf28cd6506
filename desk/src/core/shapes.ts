import type { Box, Point, Size } from "./geometry";
import { boxAround, intersect, whole } from "./geometry";

/** Receives one row of a shape: the pixels from `from` up to, not including, `to`. */
export type Span = (y: number, from: number, to: number) => void;

/** A region of pixels: the box that holds it, and its rows. */
export interface Region {
  box: Box;
  spans: (span: Span) => void;
}

/** Squared distance from a point to the segment from `a` to `b`. */
function squaredDistance(x: number, y: number, a: Point, b: Point): number {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - a.x) * dx + (y - a.y) * dy) / length));
  const ex = x - (a.x + along * dx);
  const ey = y - (a.y + along * dy);
  return ex * ex + ey * ey;
}

/** What a round brush covers between two places: all pixels whose centre is within `radius` of the segment. */
export function capsule(a: Point, b: Point, radius: number, size: Size): Region {
  const box = boxAround([a, b], radius, size);
  const limit = radius * radius;
  return {
    box,
    spans: (span) => {
      for (let y = box.y; y < box.y + box.height; y++) {
        let from = box.x;
        let to = box.x + box.width;
        // The shape is convex: a row of it is one run, found from both ends.
        while (from < to && squaredDistance(from + 0.5, y + 0.5, a, b) > limit) from++;
        while (to > from && squaredDistance(to - 0.5, y + 0.5, a, b) > limit) to--;
        if (to > from) span(y, from, to);
      }
    },
  };
}

/** The pixels whose centre is inside a closed polygon (even-odd rule). */
export function polygon(points: readonly Point[], size: Size): Region {
  const box = boxAround(points, 0, size);
  return {
    box,
    spans: (span) => {
      for (let y = box.y; y < box.y + box.height; y++) {
        const crossings = crossingsOf(points, y + 0.5);
        for (let index = 0; index + 1 < crossings.length; index += 2) {
          const from = Math.max(box.x, Math.ceil(crossings[index] - 0.5));
          const to = Math.min(box.x + box.width, Math.ceil(crossings[index + 1] - 0.5));
          if (to > from) span(y, from, to);
        }
      }
    },
  };
}

function crossingsOf(points: readonly Point[], y: number): number[] {
  const crossings: number[] = [];
  for (let index = 0; index < points.length; index++) {
    const a = points[index];
    const b = points[(index + 1) % points.length];
    if (a.y <= y !== b.y <= y) crossings.push(a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x));
  }
  return crossings.sort((first, second) => first - second);
}

/**
 * The connected pixels of the label at (x, y), through 4 or 8 neighbours.
 *
 * Rows are visited as runs, so that the work grows with the region, not with the image.
 */
export function connected(labels: Uint8Array, size: Size, x: number, y: number, neighbours: 4 | 8): Region {
  const { width, height } = size;
  const label = labels[y * width + x];
  const reach = neighbours === 8 ? 1 : 0;
  const seen = new Set<number>();
  const rows: [number, number, number][] = [];
  const open: [number, number][] = [[x, y]];
  let box: Box = { x, y, width: 1, height: 1 };
  while (open.length > 0) {
    const [column, row] = open.pop()!;
    const start = row * width;
    let from = column;
    let to = column + 1;
    while (from > 0 && labels[start + from - 1] === label) from--;
    if (seen.has(start + from)) continue;
    seen.add(start + from);
    while (to < width && labels[start + to] === label) to++;
    rows.push([row, from, to]);
    const left = Math.min(box.x, from);
    const top = Math.min(box.y, row);
    box = {
      x: left,
      y: top,
      width: Math.max(box.x + box.width, to) - left,
      height: Math.max(box.y + box.height, row + 1) - top,
    };
    for (const next of [row - 1, row + 1]) {
      if (next < 0 || next >= height) continue;
      const end = Math.min(width, to + reach);
      for (let at = Math.max(0, from - reach); at < end; at++) {
        if (labels[next * width + at] !== label) continue;
        open.push([at, next]);
        while (at < end && labels[next * width + at] === label) at++;
      }
    }
  }
  return {
    box,
    spans: (span) => {
      for (const [row, from, to] of rows) span(row, from, to);
    },
  };
}

/** The pixels of a box at which `part` is not 0 (row by row), cut to an image. */
export function stencil(box: Box, part: Uint8Array, size: Size): Region {
  const inside = intersect(box, whole(size));
  return {
    box: inside,
    spans: (span) => {
      for (let y = inside.y; y < inside.y + inside.height; y++) {
        const start = (y - box.y) * box.width - box.x;
        let from = inside.x;
        while (from < inside.x + inside.width) {
          if (part[start + from] === 0) {
            from++;
            continue;
          }
          let to = from + 1;
          while (to < inside.x + inside.width && part[start + to] !== 0) to++;
          span(y, from, to);
          from = to;
        }
      }
    },
  };
}

/** Whether a region touches the border of its image: then nothing encloses it. */
export function reachesBorder(region: Region, size: Size): boolean {
  const { x, y, width, height } = region.box;
  return x === 0 || y === 0 || x + width === size.width || y + height === size.height;
}
