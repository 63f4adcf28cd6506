import type { Size } from "./geometry";

export type Edge = "left" | "right";

/**
 * The side of a mammogram on which the chest wall lies: the brighter one, of the outer quarters of its columns.
 *
 * Tiles are bright where tissue is, and the breast lies at the chest wall. Null where both sides are alike.
 */
export function chestWall(greys: Uint16Array, { width, height }: Size): Edge | null {
  const quarter = Math.max(1, Math.floor(width / 4));
  let left = 0;
  let right = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < quarter; x++) {
      left += greys[y * width + x];
      right += greys[y * width + width - 1 - x];
    }
  }
  if (left === right) return null;
  return left > right ? "left" : "right";
}

/** Where the chest wall is put on the screen: right breasts to the left, so that both chest walls meet in the middle. */
export function wallOnScreen(side: string | null): Edge | null {
  const letter = (side ?? "").charAt(0).toUpperCase();
  if (letter === "R") return "right";
  return letter === "L" ? "left" : null;
}
