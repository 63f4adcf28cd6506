import { expect, it } from "vitest";
import { grouped, paths, scaleOf } from "../src/core/chart";

it("a line is broken where a value is missing", () => {
  const line = { name: "loss", values: [1, 0.5, null, 0, 1] };
  expect(paths(line, { low: 0, high: 1 }, 40, 10)).toEqual(["0.0,0.0 10.0,5.0", "30.0,10.0 40.0,0.0"]);
  expect(paths({ name: "one", values: [3] }, { low: 2, high: 4 }, 40, 10)).toEqual(["0.0,5.0"]);
});

it("the scale holds all values, and is never empty", () => {
  expect(
    scaleOf([
      { name: "a", values: [1, null] },
      { name: "b", values: [-2] },
    ]),
  ).toEqual({ low: -2, high: 1 });
  expect(scaleOf([{ name: "a", values: [2, 2] }])).toEqual({ low: 1.9, high: 2.1 });
  expect(scaleOf([{ name: "a", values: [null] }])).toBeNull();
});

it("training and validation share a chart", () => {
  const names = grouped({ loss: [1], val_loss: [2], lr: [3] }).map(([name, lines]) => [
    name,
    lines.map((line) => line.name),
  ]);
  expect(names).toEqual([
    ["loss", ["loss", "val_loss"]],
    ["lr", ["lr"]],
  ]);
});
