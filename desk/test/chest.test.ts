import { expect, it } from "vitest";
import { chestWall, wallOnScreen } from "../src/core/chest";

it("the chest wall is on the brighter side", () => {
  const greys = Uint16Array.of(9, 5, 1, 0, 9, 8, 2, 0);
  expect(chestWall(greys, { width: 4, height: 2 })).toBe("left");
  expect(chestWall(greys.toReversed(), { width: 4, height: 2 })).toBe("right");
  expect(chestWall(new Uint16Array(8), { width: 4, height: 2 })).toBeNull();
});

it("right breasts have their chest wall to the right, whatever the side is called", () => {
  expect(["R", "right", "L", "LEFT", "", null].map(wallOnScreen)).toEqual([
    "right",
    "right",
    "left",
    "left",
    null,
    null,
  ]);
});
