import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aligned, fit, panned, toImage, toScreen, viewOf, visiblePart, zoomAt } from "../src/core/view";

const IMAGE = { width: 4096, height: 3328 };
const PANE = { width: 801, height: 650 };

describe("the view", () => {
  it("fits the whole image into the pane", () => {
    const view = fit(IMAGE, { width: 1024, height: 1000 });
    expect(view.zoom).toBe(0.25);
    expect(toScreen(view, { width: 1024, height: 1000 }, { x: 0, y: 0 })).toEqual({ x: 0, y: 84 });
    expect(visiblePart(view, { width: 1024, height: 1000 }, IMAGE)).toEqual({ x: 0, y: 0, ...IMAGE });
  });

  it("goes to the screen and back, mirrored or not", () => {
    const number = fc.double({ min: 0, max: 3000, noNaN: true });
    fc.assert(
      fc.property(
        number,
        number,
        fc.double({ min: 0.1, max: 20, noNaN: true }),
        fc.boolean(),
        (x, y, zoom, mirrored) => {
          const view = { center: { x: 900, y: 700 }, zoom, mirrored };
          const back = toImage(view, PANE, toScreen(view, PANE, { x, y }));
          expect(back.x).toBeCloseTo(x, 6);
          expect(back.y).toBeCloseTo(y, 6);
        },
      ),
    );
  });

  it("keeps the place under the pointer when it zooms", () => {
    for (const mirrored of [false, true]) {
      const view = { center: { x: 2000, y: 1500 }, zoom: 0.5, mirrored };
      const at = { x: 100, y: 600 };
      const before = toImage(view, PANE, at);
      const after = toImage(zoomAt(view, PANE, IMAGE, at, 3), PANE, at);
      expect(after.x).toBeCloseTo(before.x, 8);
      expect(after.y).toBeCloseTo(before.y, 8);
    }
  });

  it("follows the hand, and does not lose the image", () => {
    const view = { center: { x: 2000, y: 1500 }, zoom: 2, mirrored: false };
    expect(panned(view, IMAGE, 10, -6).center).toEqual({ x: 1995, y: 1503 });
    expect(panned({ ...view, mirrored: true }, IMAGE, 10, -6).center).toEqual({ x: 2005, y: 1503 });
    expect(panned(view, IMAGE, 1e6, 1e6).center).toEqual({ x: 0, y: 0 });
  });

  it("at 1:1 sets the corner of the image onto a whole device pixel", () => {
    for (const [ratio, mirrored] of [
      [1, false],
      [2, false],
      [1.5, true],
    ] as const) {
      const view = aligned({ center: { x: 2000.3, y: 1500.7 }, zoom: 1, mirrored }, PANE, 1 / ratio, ratio);
      const corner = toScreen(view, PANE, { x: 0, y: 0 });
      expect(corner.x * ratio).toBeCloseTo(Math.round(corner.x * ratio), 6);
      expect(corner.y * ratio).toBeCloseTo(Math.round(corner.y * ratio), 6);
    }
  });

  it("centres on a lesion with room around it", () => {
    const view = viewOf({ x: 1000, y: 800, width: 100, height: 60 }, PANE, IMAGE, false);
    expect(view.center).toEqual({ x: 1050, y: 830 });
    expect(view.zoom).toBe(2);
  });
});
