import { expect, it } from "vitest";
import { arranged } from "../src/core/hanging";

const image = (id: number, side: string, view: string) => ({ id, side, view, date: "" });

it("right breasts lie at the left, CC above MLO, a missing view leaves its place empty", () => {
  const images = [image(1, "L", "MLO"), image(2, "R", "CC"), image(3, "left", "cc")];
  expect(arranged(images).map((each) => each?.id ?? null)).toEqual([2, 3, null, 1]);
});

it("images without side or view come as they are, four at most", () => {
  const images = [1, 2, 3, 4, 5].map((id) => image(id, "", ""));
  expect(arranged(images).map((each) => each?.id)).toEqual([1, 2, 3, 4]);
});
