/** Right breasts at the left, so that both chest walls meet in the middle. */
export const SLOTS = [
  ["R", "CC"],
  ["L", "CC"],
  ["R", "MLO"],
  ["L", "MLO"],
] as const;

/** An image of a patient; the date is that of its exam. */
export interface Seen {
  id: number;
  side: string;
  view: string;
  date: string;
}

function fits(image: { side: string; view: string }, [side, view]: readonly [string, string]): boolean {
  return image.side.toUpperCase().startsWith(side) && image.view.toUpperCase().includes(view);
}

/** The images in the order of the slots, null where one is missing; the first four where none fits any slot. */
export function arranged(images: readonly Seen[]): (Seen | null)[] {
  const slots = SLOTS.map((slot) => images.find((image) => fits(image, slot)) ?? null);
  if (slots.every((image) => image === null)) return images.slice(0, 4);
  return slots;
}
