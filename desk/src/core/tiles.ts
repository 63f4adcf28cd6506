import type { Box, Size } from "./geometry";
import { boxAtLevel, intersect, isEmpty, whole } from "./geometry";
import { LruCache } from "./cache";

/** One square of one level of the pyramid. */
export interface TileAddress {
  level: number;
  column: number;
  row: number;
}

export interface Pyramid extends Size {
  tileSize: number;
  levels: readonly Size[];
}

export interface Tile extends TileAddress {
  width: number;
  height: number;
  greys: Uint16Array;
}

export function keyOf({ level, column, row }: TileAddress): string {
  return `${level}/${column}/${row}`;
}

/**
 * The level to show when one image pixel is `zoom` device pixels wide.
 *
 * Level n has pixels of 2^n image pixels. The nearest one in octaves is taken: its pixels are then 0.7 to 1.4 device
 * pixels wide, and a view repaints at most twice the pixels of the screen.
 */
export function levelFor(zoom: number, levels: number): number {
  const exact = Math.log2(1 / zoom);
  return Math.max(0, Math.min(levels - 1, Math.round(exact)));
}

/** The pixels of a tile in its level; tiles at the edge are cut to the image. */
export function tileBox(pyramid: Pyramid, tile: TileAddress): Box {
  const size = pyramid.levels[tile.level];
  const box = {
    x: tile.column * pyramid.tileSize,
    y: tile.row * pyramid.tileSize,
    width: pyramid.tileSize,
    height: pyramid.tileSize,
  };
  return intersect(box, whole(size));
}

/** The tiles of a level that a part of the image touches, those in the middle first. */
export function tilesWithin(pyramid: Pyramid, part: Box, level: number): TileAddress[] {
  const size = pyramid.levels[level];
  const box = intersect(boxAtLevel(part, level), whole(size));
  if (isEmpty(box)) return [];
  const side = pyramid.tileSize;
  const addresses: TileAddress[] = [];
  for (let row = Math.floor(box.y / side); row * side < box.y + box.height; row++) {
    for (let column = Math.floor(box.x / side); column * side < box.x + box.width; column++) {
      addresses.push({ level, column, row });
    }
  }
  const middle = { x: (box.x + box.width / 2) / side, y: (box.y + box.height / 2) / side };
  const distance = (tile: TileAddress) => Math.hypot(tile.column + 0.5 - middle.x, tile.row + 0.5 - middle.y);
  return addresses.sort((first, second) => distance(first) - distance(second));
}

/** All that a view wants, in the order of fetching: the coarsest level first, so that something is soon there. */
export function wanted(pyramid: Pyramid, part: Box, level: number): TileAddress[] {
  const coarsest = pyramid.levels.length - 1;
  const fine = tilesWithin(pyramid, part, level);
  return level === coarsest ? fine : [...tilesWithin(pyramid, whole(pyramid), coarsest), ...fine];
}

/** The 16-bit values of a tile's bytes (little endian), checked against the size that the tile must have. */
export function decodeTile(pyramid: Pyramid, address: TileAddress, bytes: ArrayBuffer): Tile {
  const { width, height } = tileBox(pyramid, address);
  if (bytes.byteLength !== width * height * 2) {
    const place = keyOf(address);
    throw new RangeError(`tile ${place}: expected ${width * height * 2} bytes, found ${bytes.byteLength}`);
  }
  return { ...address, width, height, greys: new Uint16Array(bytes) };
}

export type FetchTile = (address: TileAddress, signal: AbortSignal) => Promise<ArrayBuffer>;

const AT_ONCE = 6;
const RETRIES = 3;

/** Fetches the tiles that a view wants, a few at once, and keeps those used last. */
export class TileStore {
  private readonly cache: LruCache<Tile>;
  private queue: TileAddress[] = [];
  private readonly running = new Map<string, AbortController>();
  private readonly failures = new Map<string, number>();

  constructor(
    readonly pyramid: Pyramid,
    private readonly fetchTile: FetchTile,
    private readonly arrived: (tile: Tile) => void,
    private readonly failed: (error: unknown) => void = () => undefined,
    /** Nothing is left to fetch. */
    private readonly settled: () => void = () => undefined,
    cacheBytes = 96 * 2 ** 20,
  ) {
    this.cache = new LruCache<Tile>(cacheBytes);
  }

  get(address: TileAddress): Tile | undefined {
    return this.cache.get(keyOf(address));
  }

  /** Fetch these and no others: what is no longer wanted is not begun, and broken off where it runs. */
  want(addresses: readonly TileAddress[]): void {
    const keys = new Set(addresses.map(keyOf));
    for (const [key, controller] of this.running) {
      if (keys.has(key)) continue;
      controller.abort();
      // It may be wanted again before its end has come.
      this.running.delete(key);
    }
    this.queue = addresses.filter((address) => {
      const key = keyOf(address);
      return !this.cache.has(key) && !this.running.has(key) && (this.failures.get(key) ?? 0) < RETRIES;
    });
    this.pump();
  }

  close(): void {
    this.queue = [];
    for (const controller of this.running.values()) controller.abort();
    this.cache.clear();
  }

  get idle(): boolean {
    return this.queue.length === 0 && this.running.size === 0;
  }

  private pump(): void {
    while (this.running.size < AT_ONCE) {
      const address = this.queue.shift();
      if (!address) return;
      void this.load(address);
    }
  }

  private async load(address: TileAddress): Promise<void> {
    const key = keyOf(address);
    const controller = new AbortController();
    this.running.set(key, controller);
    try {
      const tile = decodeTile(this.pyramid, address, await this.fetchTile(address, controller.signal));
      this.cache.set(key, tile, tile.greys.byteLength);
      this.failures.delete(key);
      this.arrived(tile);
    } catch (error) {
      if (!controller.signal.aborted) {
        this.failures.set(key, (this.failures.get(key) ?? 0) + 1);
        this.failed(error);
      }
    } finally {
      if (this.running.get(key) === controller) this.running.delete(key);
      this.pump();
      if (this.idle) this.settled();
    }
  }
}
