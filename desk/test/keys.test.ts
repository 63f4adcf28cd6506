import { expect, it } from "vitest";
import { ACTIONS, actionNamed, keyOfTool } from "../src/actions";
import { nameOfPress } from "../src/keys";
import { settings, TOOLS } from "../src/state";

it("no key has two actions, and each tool has one", () => {
  const keys = ACTIONS.flatMap((action) => action.keys);
  expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
  expect(new Set(TOOLS.map(keyOfTool)).size).toBe(TOOLS.length);
  expect(() => actionNamed("no such action")).toThrow("no such action");
});

const press = (key: string, code: string, more = {}) =>
  nameOfPress({ key, code, shiftKey: false, ctrlKey: false, metaKey: false, ...more });

it("a press is named as the table writes it, on any keyboard", () => {
  expect(press("b", "KeyB")).toBe("B");
  expect(press("B", "KeyB", { shiftKey: true })).toBe("Shift+B");
  expect(press("z", "KeyZ", { ctrlKey: true })).toBe("Ctrl+Z");
  expect(press("z", "KeyZ", { metaKey: true, shiftKey: true })).toBe("Ctrl+Shift+Z");
  // A German keyboard has "?" on the key of "ß", "[" with AltGr on that of "8", and Y where Z is.
  expect(press("?", "Minus", { shiftKey: true })).toBe("?");
  expect(press("[", "Digit8")).toBe("[");
  expect(press("z", "KeyY", { ctrlKey: true })).toBe("Ctrl+Z");
  expect(press('"', "Digit2", { shiftKey: true })).toBe("Shift+2");
  expect(press("ArrowLeft", "ArrowLeft", { shiftKey: true })).toBe("Shift+ArrowLeft");
  expect(press("+", "Equal", { shiftKey: true })).toBe("+");
});

it("the brush grows and shrinks by steps of one pixel or more, within its limits", () => {
  const radius = () => settings.value.radius;
  const larger = actionNamed("Larger brush");
  const smaller = actionNamed("Smaller brush");
  const hands = {} as Parameters<typeof larger.run>[0];
  const seen: number[] = [];
  for (let step = 0; step < 80; step++) {
    smaller.run(hands);
    seen.push(radius());
  }
  expect([seen[0], seen.at(-1)]).toEqual([10, 1]);
  for (let step = 0; step < 80; step++) larger.run(hands);
  expect(radius()).toBe(200);
});
