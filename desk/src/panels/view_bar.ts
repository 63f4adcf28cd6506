import type { Desk } from "../desk";
import { fill, h, select } from "../dom";
import type { Hands } from "../actions";
import { actionNamed } from "../actions";
import type { Item } from "../net/types";
import { change, settings } from "../state";
import { setOwn, setPreset, windowOf } from "../windows";

/** What is above the image: zoom, window, mask. */
export function viewBar(desk: Desk, hands: Hands): HTMLElement {
  const action = (name: string, text: string, pressed?: () => boolean) => {
    const row = actionNamed(name);
    const button = h("button", {
      text,
      title: `${row.name} (${row.keys.join(", ")})`,
      onclick: () => row.run(hands),
    });
    if (pressed) {
      const follow = () => button.setAttribute("aria-pressed", String(pressed()));
      settings.follow(follow);
      desk.comparing.follow(follow);
    }
    return button;
  };
  const opacity = h("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.05,
    "aria-label": "Opacity of the mask",
    title: "Opacity of the mask",
    oninput: () => change({ opacity: Number(opacity.value) }),
  });
  settings.follow(({ opacity: value }) => (opacity.value = String(value)));
  return h(
    "div",
    { class: "viewbar", role: "toolbar", "aria-label": "View" },
    h(
      "div",
      { class: "group" },
      action("Fit the image", "Fit"),
      action("One image pixel on one screen pixel", "1:1"),
      action("Zoom out", "−"),
      action("Zoom in", "+"),
    ),
    windowControls(desk),
    h(
      "div",
      { class: "group" },
      action("Invert", "Invert", () => settings.value.inverted),
      action("Magnifier", "Lens", () => settings.value.magnifier),
    ),
    h(
      "div",
      { class: "group" },
      action("Mask on or off", "Mask", () => settings.value.maskShown),
      action("Outlines on or off", "Outline", () => settings.value.outline),
      opacity,
      action("Compare with the model's mask", "Compare", () => desk.comparing.value),
    ),
    h("div", { class: "group" }, action("Four views", "Views")),
  );
}

function windowControls(desk: Desk): HTMLElement {
  const place = h("div", { class: "group" });
  const draw = (item: Item | null) => {
    if (!item) {
      fill(place);
      return;
    }
    const now = windowOf(item);
    const own = !item.windows.some(({ name }) => name === now.name);
    const names = item.windows.map(({ name }) => [name, name] as const);
    const preset = select(
      own ? [...names, [now.name, "own"]] : names,
      now.name,
      (name) => {
        const chosen = item.windows.find((window) => window.name === name);
        if (chosen) setPreset(chosen);
      },
      "Window",
    );
    const number = (label: string, value: number, act: (value: number) => void) => {
      const input = h("input", {
        type: "number",
        "aria-label": label,
        title: label,
        value: Math.round(value),
        onchange: () => act(Number(input.value)),
      });
      return input;
    };
    fill(
      place,
      preset,
      number("Window center", now.center, (center) => setOwn(item, now.kind, center, now.width)),
      number("Window width", now.width, (width) => setOwn(item, now.kind, now.center, Math.max(2, width))),
    );
  };
  let drawn = "";
  const again = () => {
    const item = desk.open.value?.item ?? null;
    const wanted = item ? JSON.stringify([item.id, windowOf(item)]) : "";
    if (wanted === drawn) return;
    drawn = wanted;
    draw(item);
  };
  desk.open.follow(again);
  settings.follow(again);
  return place;
}
