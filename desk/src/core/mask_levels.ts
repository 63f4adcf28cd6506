import type { Box, Size } from "./geometry";
import { boxAtLevel, intersect, isEmpty, whole } from "./geometry";

/** The labels of one level: a pixel holds the highest label of the image pixels under it, so that thin lesions stay. */
export interface MaskLevel extends Size {
  labels: Uint8Array;
}

/** A labelmap at half, a quarter, ... of its size, made when first asked for and kept up to date box by box. */
export class MaskLevels {
  private readonly levels: MaskLevel[];

  constructor(
    image: MaskLevel,
    private readonly sizes: readonly Size[],
  ) {
    this.levels = [image];
  }

  at(level: number): MaskLevel {
    while (this.levels.length <= level) {
      const { width, height } = this.sizes[this.levels.length];
      const next = { width, height, labels: new Uint8Array(width * height) };
      halve(this.levels[this.levels.length - 1], next, whole(next));
      this.levels.push(next);
    }
    return this.levels[level];
  }

  /** Follow a change of the image's labels within a box. */
  update(box: Box): void {
    for (let level = 1; level < this.levels.length; level++) {
      const next = this.levels[level];
      halve(this.levels[level - 1], next, intersect(boxAtLevel(box, level), whole(next)));
    }
  }
}

function halve(fine: MaskLevel, coarse: MaskLevel, box: Box): void {
  if (isEmpty(box)) return;
  const from = fine.labels;
  const right = fine.width - 1;
  for (let y = box.y; y < box.y + box.height; y++) {
    const upper = Math.min(2 * y, fine.height - 1) * fine.width;
    const lower = Math.min(2 * y + 1, fine.height - 1) * fine.width;
    for (let x = box.x; x < box.x + box.width; x++) {
      const a = Math.min(2 * x, right);
      const b = Math.min(2 * x + 1, right);
      coarse.labels[y * coarse.width + x] = Math.max(
        from[upper + a],
        from[upper + b],
        from[lower + a],
        from[lower + b],
      );
    }
  }
}

/** How a mask is shown: a colour a class as 0xBBGGRR, the opacity of areas (0 to 1), and whether edges are drawn. */
export interface MaskStyle {
  colours: readonly number[];
  opacity: number;
  outline: boolean;
}

/** Write a box of a level as pixels (RGBA words, little endian); edges of areas are opaque where outlines are on. */
export function paintMask(level: MaskLevel, box: Box, style: MaskStyle, pixels: Uint32Array): void {
  const { labels, width, height } = level;
  const area = (Math.round(style.opacity * 255) << 24) >>> 0;
  let at = 0;
  for (let y = box.y; y < box.y + box.height; y++) {
    for (let x = box.x; x < box.x + box.width; x++, at++) {
      const place = y * width + x;
      const label = labels[place];
      if (label === 0) {
        pixels[at] = 0;
        continue;
      }
      const edge =
        style.outline &&
        ((x > 0 && labels[place - 1] !== label) ||
          (x + 1 < width && labels[place + 1] !== label) ||
          (y > 0 && labels[place - width] !== label) ||
          (y + 1 < height && labels[place + width] !== label));
      const colour = style.colours[label] ?? 0xffffff;
      pixels[at] = edge ? colour + 0xff000000 : colour + area;
    }
  }
}

/** "#rrggbb" as 0xBBGGRR, the order of bytes in a pixel. */
export function pixelColour(hex: string): number {
  const value = Number.parseInt(hex.slice(1), 16);
  return ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16);
}
