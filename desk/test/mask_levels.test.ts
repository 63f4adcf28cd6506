import fc from "fast-check";
import { expect, it } from "vitest";
import { Labelmap } from "../src/core/labelmap";
import { MaskLevels, paintMask, pixelColour } from "../src/core/mask_levels";
import { capsule } from "../src/core/shapes";

it("a level keeps the highest label of four pixels, also at an odd edge", () => {
  const image = { width: 3, height: 3, labels: Uint8Array.of(0, 1, 2, 0, 0, 0, 3, 0, 0) };
  const levels = new MaskLevels(image, [image, { width: 2, height: 2 }, { width: 1, height: 1 }]);
  expect([...levels.at(1).labels]).toEqual([1, 2, 3, 0]);
  expect([...levels.at(2).labels]).toEqual([3]);
});

it("levels kept up to date by boxes are those made anew", () => {
  const size = { width: 37, height: 29 };
  const sizes = [size, { width: 19, height: 15 }, { width: 10, height: 8 }, { width: 5, height: 4 }];
  const stroke = fc.record({
    x: fc.integer({ min: 0, max: 36 }),
    y: fc.integer({ min: 0, max: 28 }),
    radius: fc.integer({ min: 1, max: 6 }),
    label: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(stroke, { maxLength: 6 }), (strokes) => {
      const map = new Labelmap(size);
      const kept = new MaskLevels({ ...size, labels: map.labels }, sizes);
      kept.at(3);
      for (const { x, y, radius, label } of strokes) {
        kept.update(map.paint(capsule({ x, y }, { x: x + 3, y }, radius, size), label));
      }
      const anew = new MaskLevels({ ...size, labels: map.labels }, sizes);
      for (const level of [1, 2, 3]) expect(kept.at(level).labels).toEqual(anew.at(level).labels);
    }),
  );
});

it("areas take the opacity, edges are opaque, background is clear", () => {
  const level = { width: 5, height: 3, labels: Uint8Array.from("011100111001110", Number) };
  const colours = [0, pixelColour("#ff8000")];
  const pixels = new Uint32Array(15);
  paintMask(level, { x: 0, y: 0, width: 5, height: 3 }, { colours, opacity: 0.4, outline: true }, pixels);
  const alphas = [...new Uint8Array(pixels.buffer)].filter((_, at) => at % 4 === 3);
  expect(alphas).toEqual([0, 255, 102, 255, 0, 0, 255, 102, 255, 0, 0, 255, 102, 255, 0]);
  expect([...new Uint8Array(pixels.buffer).subarray(4, 8)]).toEqual([255, 128, 0, 255]);
  paintMask(level, { x: 1, y: 1, width: 2, height: 1 }, { colours, opacity: 1, outline: false }, pixels);
  expect([...new Uint8Array(pixels.buffer).subarray(0, 8)]).toEqual([255, 128, 0, 255, 255, 128, 0, 255]);
});
