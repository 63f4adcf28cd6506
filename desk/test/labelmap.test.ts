import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutOut } from "../src/core/geometry";
import { Labelmap } from "../src/core/labelmap";
import { decodeRuns, encodeRuns } from "../src/core/runs";
import { capsule, connected, polygon, reachesBorder, stencil } from "../src/core/shapes";

const SIZE = { width: 8, height: 6 };

function drawn(map: Labelmap): string[] {
  const rows: string[] = [];
  for (let y = 0; y < map.size.height; y++) {
    rows.push(
      [...map.labels.subarray(y * map.size.width, (y + 1) * map.size.width)].join("").replaceAll("0", "."),
    );
  }
  return rows;
}

function from(rows: string[]): Labelmap {
  const labels = Uint8Array.from(rows.join("").replaceAll(".", "0"), Number);
  return new Labelmap({ width: rows[0].length, height: rows.length }, labels);
}

describe("run lengths", () => {
  it("are pairs of value and length", () => {
    expect(encodeRuns(Uint8Array.of(0, 0, 3, 3, 3, 1))).toEqual([0, 2, 3, 3, 1, 1]);
    expect(encodeRuns(new Uint8Array(0))).toEqual([]);
  });

  it("come back as they were", () => {
    fc.assert(
      fc.property(fc.uint8Array({ max: 3, maxLength: 60 }), (labels) => {
        expect(decodeRuns(encodeRuns(labels), labels.length)).toEqual(labels);
      }),
    );
  });

  it.each([[[0, 3]], [[0, 5]], [[256, 4]], [[1, -4]], [[1]], [[1, 2.5, 0, 1.5]]])(
    "refuse %j for 4 pixels",
    (runs) => {
      expect(() => decodeRuns(runs, 4)).toThrow(RangeError);
    },
  );
});

describe("shapes", () => {
  it("a brush of radius 1.5 around a pixel's centre covers 3 x 3 without nothing cut", () => {
    const map = new Labelmap(SIZE);
    map.paint(capsule({ x: 3.5, y: 2.5 }, { x: 3.5, y: 2.5 }, 1.5, SIZE), 1);
    expect(drawn(map)).toEqual(["........", "..111...", "..111...", "..111...", "........", "........"]);
  });

  it("a brush of radius 1 covers a cross", () => {
    const map = new Labelmap(SIZE);
    map.paint(capsule({ x: 0.5, y: 2.5 }, { x: 0.5, y: 2.5 }, 1, SIZE), 2);
    expect(drawn(map)).toEqual(["........", "2.......", "22......", "2.......", "........", "........"]);
  });

  it("a stroke is the set of pixels whose centres are within the radius of its segment", () => {
    const place = fc.record({
      x: fc.double({ min: -4, max: 34, noNaN: true }),
      y: fc.double({ min: -4, max: 34, noNaN: true }),
    });
    const size = { width: 30, height: 31 };
    fc.assert(
      fc.property(place, place, fc.double({ min: 0.5, max: 9, noNaN: true }), (a, b, radius) => {
        const map = new Labelmap(size);
        map.paint(capsule(a, b, radius, size), 1);
        for (let y = 0; y < size.height; y++) {
          for (let x = 0; x < size.width; x++) {
            const px = x + 0.5;
            const py = y + 0.5;
            const length = Math.hypot(b.x - a.x, b.y - a.y);
            const t = length === 0 ? 0 : ((px - a.x) * (b.x - a.x) + (py - a.y) * (b.y - a.y)) / length ** 2;
            const k = Math.min(1, Math.max(0, t));
            const away = Math.hypot(px - a.x - k * (b.x - a.x), py - a.y - k * (b.y - a.y));
            if (Math.abs(away - radius) > 1e-6) expect(map.at(x, y)).toBe(away < radius ? 1 : 0);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it("a polygon holds the pixels whose centres are inside", () => {
    const map = new Labelmap(SIZE);
    const square = [
      { x: 1, y: 1 },
      { x: 5, y: 1 },
      { x: 5, y: 4 },
      { x: 1, y: 4 },
    ];
    map.paint(polygon(square, SIZE), 1);
    expect(drawn(map)).toEqual(["........", ".1111...", ".1111...", ".1111...", "........", "........"]);
    const triangle = [
      { x: 0, y: 0 },
      { x: 4, y: 0 },
      { x: 0, y: 4 },
    ];
    const other = new Labelmap(SIZE);
    other.paint(polygon(triangle, SIZE), 1);
    expect(drawn(other)).toEqual(["111.....", "11......", "1.......", "........", "........", "........"]);
  });

  it("a polygon beyond the image is cut at its border", () => {
    const map = new Labelmap(SIZE);
    map.paint(
      polygon(
        [
          { x: -9, y: -9 },
          { x: 99, y: -9 },
          { x: 99, y: 99 },
          { x: -9, y: 99 },
        ],
        SIZE,
      ),
      3,
    );
    expect(map.labels.every((label) => label === 3)).toBe(true);
  });

  it("diagonal neighbours belong to a component of 8, not to a region of 4", () => {
    const rows = ["11......", "..1.....", "...1..1.", "......1.", "........", "........"];
    const eight = from(rows);
    eight.paint(connected(eight.labels, eight.size, 0, 0, 8), 0);
    expect(drawn(eight)).toEqual(["........", "........", "......1.", "......1.", "........", "........"]);
    const four = from(rows);
    four.paint(connected(four.labels, four.size, 0, 0, 4), 2);
    expect(drawn(four)).toEqual(["22......", "..1.....", "...1..1.", "......1.", "........", "........"]);
  });

  it("a ring's inside is filled through all its bends", () => {
    const map = from([".11111..", ".1...11.", ".1.1..1.", ".111..1.", "...111..", "........"]);
    const inside = connected(map.labels, map.size, 2, 1, 4);
    expect(reachesBorder(inside, map.size)).toBe(false);
    map.paint(inside, 2);
    expect(drawn(map)).toEqual([".11111..", ".122211.", ".121221.", ".111221.", "...111..", "........"]);
    expect(reachesBorder(connected(map.labels, map.size, 0, 0, 4), map.size)).toBe(true);
  });

  it("a stencil beyond the image is cut", () => {
    const map = new Labelmap(SIZE);
    map.paint(
      stencil({ x: -1, y: -1, width: 3, height: 3 }, Uint8Array.of(1, 1, 1, 1, 0, 1, 1, 1, 1), SIZE),
      1,
    );
    expect(drawn(map).slice(0, 3)).toEqual([".1......", "11......", "........"]);
  });
});

describe("strokes", () => {
  it("are cut to what they changed", () => {
    const map = from(["........", ".11.....", "........", "........", "........", "........"]);
    map.paint(
      polygon(
        [
          { x: 1, y: 1 },
          { x: 4, y: 1 },
          { x: 4, y: 3 },
          { x: 1, y: 3 },
        ],
        SIZE,
      ),
      1,
    );
    const edit = map.commit("brush");
    expect(edit).toEqual({
      tool: "brush",
      box: { x: 1, y: 1, width: 3, height: 2 },
      before: [1, 2, 0, 4],
      after: [1, 6],
    });
    expect(map.commit("brush")).toBeNull();
  });

  it("spare locked classes", () => {
    const map = from(["12......", "12......", "........", "........", "........", "........"]);
    map.lock(2, true);
    map.paint(capsule({ x: 1, y: 1 }, { x: 1, y: 1 }, 9, SIZE), 0);
    expect(drawn(map).slice(0, 2)).toEqual([".2......", ".2......"]);
  });

  it("paint over one class alone where asked", () => {
    const map = from(["12......", "12......", "........", "........", "........", "........"]);
    map.paintOver(0);
    map.paint(
      polygon(
        [
          { x: 0, y: 0 },
          { x: 4, y: 0 },
          { x: 4, y: 2 },
          { x: 0, y: 2 },
        ],
        SIZE,
      ),
      3,
    );
    expect(drawn(map).slice(0, 2)).toEqual(["1233....", "1233...."]);
  });

  it("can be given up half way", () => {
    const map = from(["12......", "12......", "........", "........", "........", "........"]);
    const before = map.labels.slice();
    map.paint(capsule({ x: 1, y: 1 }, { x: 7, y: 5 }, 2, SIZE), 4);
    expect(map.labels).not.toEqual(before);
    expect(map.cancel()).not.toEqual({ x: 0, y: 0, width: 0, height: 0 });
    expect(map.labels).toEqual(before);
    expect(map.commit("brush")).toBeNull();
  });

  it("a new stroke forgets what was undone", () => {
    const map = new Labelmap(SIZE);
    map.paint(capsule({ x: 1.5, y: 1.5 }, { x: 1.5, y: 1.5 }, 0.5, SIZE), 1);
    map.commit("brush");
    expect(map.undo()?.tool).toBe("undo");
    expect(map.canRedo).toBe(true);
    map.paint(capsule({ x: 4.5, y: 1.5 }, { x: 4.5, y: 1.5 }, 0.5, SIZE), 1);
    map.commit("brush");
    expect(map.canRedo).toBe(false);
    expect(map.redo()).toBeNull();
  });

  it("undo and redo give back each state, and their edits replay to the same labels", () => {
    const step = fc.record({
      x: fc.integer({ min: -2, max: 9 }),
      y: fc.integer({ min: -2, max: 8 }),
      radius: fc.integer({ min: 1, max: 3 }),
      label: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const map = new Labelmap(SIZE);
        const copy = new Labelmap(SIZE);
        const states = [map.labels.slice()];
        for (const { x, y, radius, label } of steps) {
          map.paint(capsule({ x, y }, { x: x + 2, y }, radius, SIZE), label);
          const edit = map.commit("brush");
          if (!edit) continue;
          states.push(map.labels.slice());
          copy.apply(edit.box, edit.after, "replay");
          expect(decodeRuns(edit.after, edit.box.width * edit.box.height)).toEqual(
            cutOut(map.labels, SIZE.width, edit.box),
          );
        }
        for (const state of states.toReversed().slice(1)) {
          const edit = map.undo()!;
          expect(map.labels).toEqual(state);
          copy.apply(edit.box, edit.after, "replay");
          expect(copy.labels).toEqual(state);
        }
        expect(map.undo()).toBeNull();
        for (const state of states.slice(1)) {
          map.redo();
          expect(map.labels).toEqual(state);
        }
      }),
    );
  });

  it("a mask of another size is refused", () => {
    expect(() => new Labelmap(SIZE, new Uint8Array(47))).toThrow("expected 48 labels");
  });
});
