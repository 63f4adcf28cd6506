import { describe, expect, it } from "vitest";
import { LruCache } from "../src/core/cache";
import type { TileAddress } from "../src/core/tiles";
import { decodeTile, keyOf, levelFor, tileBox, TileStore, tilesWithin, wanted } from "../src/core/tiles";

const PYRAMID = {
  width: 1300,
  height: 1000,
  tileSize: 512,
  levels: [
    { width: 1300, height: 1000 },
    { width: 650, height: 500 },
    { width: 325, height: 250 },
  ],
};

describe("levels and tiles", () => {
  it("the level follows the zoom in octaves", () => {
    expect([4, 1, 0.75, 0.7, 0.5, 0.36, 0.35, 0.01].map((zoom) => levelFor(zoom, 3))).toEqual([
      0, 0, 0, 1, 1, 1, 2, 2,
    ]);
    expect(levelFor(0.01, 1)).toBe(0);
  });

  it("tiles at the edge are cut to the image", () => {
    expect(tileBox(PYRAMID, { level: 0, column: 2, row: 1 })).toEqual({
      x: 1024,
      y: 512,
      width: 276,
      height: 488,
    });
    expect(tileBox(PYRAMID, { level: 2, column: 0, row: 0 })).toEqual({
      x: 0,
      y: 0,
      width: 325,
      height: 250,
    });
  });

  it("only tiles in sight are named, the middle first", () => {
    const part = { x: 600, y: 100, width: 100, height: 100 };
    expect(tilesWithin(PYRAMID, part, 0).map(keyOf)).toEqual(["0/1/0"]);
    const all = tilesWithin(PYRAMID, { x: 0, y: 0, width: 1300, height: 1000 }, 0).map(keyOf);
    expect(all).toHaveLength(6);
    expect(["0/1/0", "0/1/1"]).toContain(all[0]);
    expect(tilesWithin(PYRAMID, { x: 2000, y: 0, width: 5, height: 5 }, 0)).toEqual([]);
  });

  it("the coarsest level comes first, and once", () => {
    const part = { x: 0, y: 0, width: 10, height: 10 };
    expect(wanted(PYRAMID, part, 0).map(keyOf)).toEqual(["2/0/0", "0/0/0"]);
    expect(wanted(PYRAMID, part, 2).map(keyOf)).toEqual(["2/0/0"]);
  });

  it("bytes are little-endian 16-bit values of the tile's size", () => {
    const pyramid = { width: 2, height: 1, tileSize: 512, levels: [{ width: 2, height: 1 }] };
    const bytes = Uint8Array.of(1, 2, 0, 255).buffer;
    expect([...decodeTile(pyramid, { level: 0, column: 0, row: 0 }, bytes).greys]).toEqual([513, 65280]);
    expect(() => decodeTile(pyramid, { level: 0, column: 0, row: 0 }, new ArrayBuffer(6))).toThrow(
      "expected 4 bytes, found 6",
    );
  });
});

it("the cache drops what was unused for longest, up to its weight", () => {
  const cache = new LruCache<string>(10);
  cache.set("a", "A", 4);
  cache.set("b", "B", 4);
  expect(cache.get("a")).toBe("A");
  cache.set("c", "C", 4);
  expect([cache.has("a"), cache.has("b"), cache.has("c"), cache.weight]).toEqual([true, false, true, 8]);
  cache.set("c", "C", 1);
  expect(cache.weight).toBe(5);
  cache.set("huge", "H", 99);
  expect([cache.has("huge"), cache.weight]).toEqual([true, 99]);
});

/** A server whose answers the test gives, one by one. */
function byHand() {
  const asked: string[] = [];
  const open = new Map<string, { answer: (bytes: ArrayBuffer) => void; fail: (error: Error) => void }>();
  const fetchTile = (address: TileAddress, signal: AbortSignal) =>
    new Promise<ArrayBuffer>((answer, fail) => {
      asked.push(keyOf(address));
      open.set(keyOf(address), { answer, fail });
      signal.addEventListener("abort", () => fail(new Error("aborted")));
    });
  return { asked, open, fetchTile };
}

const settle = () => new Promise((done) => setTimeout(done));

describe("the store", () => {
  it("fetches what is wanted once and keeps it", async () => {
    const server = byHand();
    const arrived: string[] = [];
    const store = new TileStore(PYRAMID, server.fetchTile, (tile) => arrived.push(keyOf(tile)));
    const address = { level: 2, column: 0, row: 0 };
    store.want([address]);
    store.want([address]);
    server.open.get("2/0/0")!.answer(new ArrayBuffer(325 * 250 * 2));
    await settle();
    expect(store.get(address)?.greys).toHaveLength(325 * 250);
    store.want([address]);
    expect([server.asked, arrived, store.idle]).toEqual([["2/0/0"], ["2/0/0"], true]);
  });

  it("breaks off what is no longer wanted, without counting it as a failure", async () => {
    const server = byHand();
    const failures: unknown[] = [];
    const store = new TileStore(
      PYRAMID,
      server.fetchTile,
      () => undefined,
      (error) => failures.push(error),
    );
    store.want(tilesWithin(PYRAMID, { x: 0, y: 0, width: 500, height: 500 }, 0));
    store.want(tilesWithin(PYRAMID, { x: 600, y: 0, width: 100, height: 100 }, 0));
    await settle();
    expect([server.asked, failures]).toEqual([["0/0/0", "0/1/0"], []]);
  });

  it("fetches again what was broken off and is wanted after all, before its end has come", async () => {
    const server = byHand();
    const store = new TileStore(PYRAMID, server.fetchTile, () => undefined);
    const first = { level: 2, column: 0, row: 0 };
    store.want([first]);
    store.want([]);
    store.want([first]);
    await settle();
    server.open.get("2/0/0")!.answer(new ArrayBuffer(325 * 250 * 2));
    await settle();
    expect([server.asked, store.get(first) !== undefined]).toEqual([["2/0/0", "2/0/0"], true]);
  });

  it("asks again after a failure, three times at most", async () => {
    const server = byHand();
    const failures: unknown[] = [];
    const store = new TileStore(
      PYRAMID,
      server.fetchTile,
      () => undefined,
      (error) => failures.push(error),
    );
    for (let attempt = 0; attempt < 5; attempt++) {
      store.want([{ level: 0, column: 0, row: 0 }]);
      server.open.get("0/0/0")?.fail(new Error("no connection"));
      server.open.clear();
      await settle();
    }
    expect([server.asked.length, failures.length]).toEqual([3, 3]);
  });

  it("has six requests open at most", () => {
    const server = byHand();
    const wide = { width: 5120, height: 512, tileSize: 512, levels: [{ width: 5120, height: 512 }] };
    const store = new TileStore(wide, server.fetchTile, () => undefined);
    store.want(tilesWithin(wide, { x: 0, y: 0, width: 5120, height: 512 }, 0));
    expect(server.asked).toHaveLength(6);
  });
});
