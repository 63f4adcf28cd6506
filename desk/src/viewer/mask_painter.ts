import type { Box, Size } from "../core/geometry";
import { boxAtLevel, grow, intersect, isEmpty, unite } from "../core/geometry";
import { LruCache } from "../core/cache";
import type { MaskStyle } from "../core/mask_levels";
import { MaskLevels, paintMask } from "../core/mask_levels";
import type { Pyramid, TileAddress } from "../core/tiles";
import { keyOf, levelFor, tileBox, tilesWithin } from "../core/tiles";
import type { View } from "../core/view";
import { visiblePart } from "../core/view";
import { newCanvas, placeLevel } from "./surface";

interface Painted {
  canvas: HTMLCanvasElement;
  address: TileAddress;
  /** What must be painted anew before it is shown, in pixels of the level. */
  stale: Box;
}

const PAINTED_PIXELS = 24 * 2 ** 20;

/** Draws a mask over the image: small canvases by tile, of which only the changed boxes are painted anew. */
export class MaskPainter {
  private levels: MaskLevels;
  private painted = new LruCache<Painted>(PAINTED_PIXELS);
  private kept: Painted[] = [];
  shown = true;

  constructor(
    private readonly pyramid: Pyramid,
    private readonly labels: Uint8Array,
    private style: MaskStyle,
  ) {
    this.levels = this.fresh();
  }

  private fresh(): MaskLevels {
    const { width, height, levels } = this.pyramid;
    return new MaskLevels({ width, height, labels: this.labels }, levels);
  }

  setStyle(style: MaskStyle): void {
    this.style = style;
    this.forget();
  }

  /** Take note that labels changed within a box. */
  changed(box: Box): void {
    if (isEmpty(box)) return;
    this.levels.update(box);
    for (const painted of this.kept) {
      const size = this.pyramid.levels[painted.address.level];
      // The edge of an area is seen from the pixels beside it.
      const near = grow(boxAtLevel(box, painted.address.level), 1, size);
      painted.stale = unite(painted.stale, intersect(near, tileBox(this.pyramid, painted.address)));
    }
  }

  /** Take note that any label may have changed. */
  changedEverywhere(): void {
    this.levels = this.fresh();
    this.forget();
  }

  private forget(): void {
    this.painted.clear();
    this.kept = [];
  }

  draw(context: CanvasRenderingContext2D, view: View, pane: Size, ratio: number): void {
    if (!this.shown) return;
    const level = levelFor(view.zoom * ratio, this.pyramid.levels.length);
    const part = visiblePart(view, pane, this.pyramid);
    context.save();
    placeLevel(context, view, pane, 2 ** level);
    context.imageSmoothingEnabled = view.zoom * ratio < 1;
    for (const address of tilesWithin(this.pyramid, part, level)) {
      const box = tileBox(this.pyramid, address);
      context.drawImage(this.ready(address, box).canvas, box.x, box.y);
    }
    context.restore();
  }

  private ready(address: TileAddress, box: Box): Painted {
    const key = keyOf(address);
    let painted = this.painted.get(key);
    if (!painted) {
      painted = { canvas: newCanvas(box.width, box.height), address, stale: box };
      this.painted.set(key, painted, box.width * box.height);
      this.kept = [...this.kept.filter((other) => this.painted.has(keyOf(other.address))), painted];
    }
    if (!isEmpty(painted.stale)) {
      const { stale } = painted;
      const image = new ImageData(stale.width, stale.height);
      const words = new Uint32Array(image.data.buffer);
      paintMask(this.levels.at(address.level), stale, this.style, words);
      painted.canvas.getContext("2d")!.putImageData(image, stale.x - box.x, stale.y - box.y);
      painted.stale = { x: 0, y: 0, width: 0, height: 0 };
    }
    return painted;
  }
}
