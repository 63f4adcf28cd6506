import { LruCache } from "../core/cache";
import type { Tile, TileAddress } from "../core/tiles";
import type { TileStore } from "../core/tiles";
import { keyOf, levelFor, tilesWithin, wanted } from "../core/tiles";
import type { Size } from "../core/geometry";
import type { View } from "../core/view";
import { visiblePart } from "../core/view";
import { paintGreys } from "../core/window";
import { newCanvas, placeLevel, pixelsOf } from "./surface";

interface Painted {
  canvas: HTMLCanvasElement;
  stamp: number;
}

const PAINTED_PIXELS = 24 * 2 ** 20;

/** Draws the image: tiles in sight, windowed by a lookup table when they are drawn and not before. */
export class TilePainter {
  private readonly painted = new LruCache<Painted>(PAINTED_PIXELS);
  private table: Uint8Array = new Uint8Array(0);
  private stamp = 0;

  constructor(readonly store: TileStore) {}

  setTable(table: Uint8Array): void {
    this.table = table;
    this.stamp++;
  }

  /** The tiles that a view needs, in the order in which to fetch them. */
  needs(view: View, pane: Size, ratio: number): TileAddress[] {
    const { pyramid } = this.store;
    const level = levelFor(view.zoom * ratio, pyramid.levels.length);
    return wanted(pyramid, visiblePart(view, pane, pyramid), level);
  }

  /** Draw what is there, coarser levels where the right one has not come yet. */
  draw(context: CanvasRenderingContext2D, view: View, pane: Size, ratio: number): void {
    const { pyramid } = this.store;
    const part = visiblePart(view, pane, pyramid);
    const level = levelFor(view.zoom * ratio, pyramid.levels.length);
    // One image pixel on one device pixel, or so large that its square is seen: nothing is smoothed.
    const exact = Math.abs(view.zoom * ratio - 1) < 1e-9 || view.zoom * ratio >= 8;
    const complete = tilesWithin(pyramid, part, level).every((address) => this.store.get(address));
    for (let at = complete ? level : pyramid.levels.length - 1; at >= level; at--) {
      context.save();
      placeLevel(context, view, pane, 2 ** at);
      context.imageSmoothingEnabled = !exact;
      for (const address of tilesWithin(pyramid, part, at)) {
        const tile = this.store.get(address);
        if (!tile) continue;
        const canvas = this.windowed(tile);
        context.drawImage(canvas, address.column * pyramid.tileSize, address.row * pyramid.tileSize);
      }
      context.restore();
    }
  }

  private windowed(tile: Tile): HTMLCanvasElement {
    const key = keyOf(tile);
    let painted = this.painted.get(key);
    if (!painted) {
      painted = { canvas: newCanvas(tile.width, tile.height), stamp: -1 };
      this.painted.set(key, painted, tile.width * tile.height);
    }
    if (painted.stamp !== this.stamp) {
      const { image, words } = pixelsOf(tile.width, tile.height);
      paintGreys(tile.greys, this.table, words);
      painted.canvas.getContext("2d")!.putImageData(image, 0, 0);
      painted.stamp = this.stamp;
    }
    return painted.canvas;
  }

  /** The grey value of an image pixel, where its tile at full size is there; else that of a coarser level. */
  greyAt(x: number, y: number): number | null {
    const { pyramid } = this.store;
    const side = pyramid.tileSize;
    for (let level = 0; level < pyramid.levels.length; level++) {
      const column = Math.floor(x / 2 ** level);
      const row = Math.floor(y / 2 ** level);
      const tile = this.store.get({ level, column: Math.floor(column / side), row: Math.floor(row / side) });
      if (tile) return tile.greys[(row % side) * tile.width + (column % side)] ?? null;
    }
    return null;
  }
}
