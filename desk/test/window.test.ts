import { describe, expect, it } from "vitest";
import { dragged, lookupTable, paintGreys } from "../src/core/window";

describe("windows of DICOM PS3.3 C.11.2.1", () => {
  it("linear: the standard's own example, center 2048 and width 4096", () => {
    // y = ((x - 2047.5) / 4095 + 0.5) * 255 between 0 and 4095.
    const table = lookupTable({ kind: "linear", center: 2048, width: 4096 }, false);
    expect([table[0], table[4095], table[4096], table[65535]]).toEqual([0, 255, 255, 255]);
    expect(table[2048]).toBe(128);
    expect(table[1000]).toBe(Math.floor((1000 / 4095) * 255 + 0.5));
  });

  it("linear: width 1 is a threshold at center - 0.5", () => {
    const table = lookupTable({ kind: "linear", center: 100, width: 1 }, false);
    expect([table[99], table[100], table[101]]).toEqual([0, 255, 255]);
  });

  it("linear_exact: center 2048 and width 4096", () => {
    const table = lookupTable({ kind: "linear_exact", center: 2048, width: 4096 }, false);
    expect([table[0], table[2048], table[4096], table[5000]]).toEqual([0, 128, 255, 255]);
    expect(table[1024]).toBe(64);
  });

  it("sigmoid: half at the center, 1 / (1 + e^-2) half a width above", () => {
    const table = lookupTable({ kind: "sigmoid", center: 2048, width: 4096 }, false);
    expect(table[2048]).toBe(128);
    expect(table[4096]).toBe(Math.floor(255 / (1 + Math.exp(-2)) + 0.5));
    expect(table[0]).toBe(Math.floor(255 / (1 + Math.exp(2)) + 0.5));
  });

  it("table: one brightness for each value, the last goes on", () => {
    const table = lookupTable({ kind: "table", table: [0, 128, 200] }, false);
    expect([table[0], table[1], table[2], table[3], table[65535]]).toEqual([0, 128, 200, 200, 200]);
    expect(() => lookupTable({ kind: "table", table: [] }, false)).toThrow("at least one value");
  });

  it("inversion turns every entry over", () => {
    const plain = lookupTable({ kind: "linear", center: 300, width: 500 }, false);
    const inverted = lookupTable({ kind: "linear", center: 300, width: 500 }, true);
    expect(plain.every((value, at) => value + inverted[at] === 255)).toBe(true);
  });

  it("a width of zero or less does not divide by zero", () => {
    for (const kind of ["linear", "linear_exact", "sigmoid"] as const) {
      const table = lookupTable({ kind, center: 50, width: 0 }, false);
      expect([table[0], table[65535]]).toEqual([0, 255]);
    }
  });
});

it("pixels are opaque greys", () => {
  const pixels = new Uint32Array(3);
  paintGreys(
    Uint16Array.of(0, 65535, 0),
    lookupTable({ kind: "table", table: [18, 255, 255] }, false),
    pixels,
  );
  expect([...new Uint8Array(pixels.buffer)]).toEqual([18, 18, 18, 255, 255, 255, 255, 255, 18, 18, 18, 255]);
});

it("a drag to the right widens, a drag along y moves the center", () => {
  const start = { kind: "linear", center: 1000, width: 600 } as const;
  expect(dragged(start, 250, 0, start)).toEqual({ kind: "linear", center: 1000, width: 1631 });
  expect(dragged(start, 0, 30, start)).toEqual({ kind: "linear", center: 1060, width: 600 });
  expect(dragged({ kind: "table", table: [1] }, 0, 0, start)).toEqual(start);
});
