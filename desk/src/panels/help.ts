import { h } from "../dom";
import { ACTIONS } from "../actions";
import { change, settings } from "../state";

const GROUPS = ["Tools", "View", "Mask", "Images", "Verdict", "Page"] as const;

const POINTER: readonly (readonly [string, string])[] = [
  ["Left button, pen, one finger", "the tool"],
  ["Right button", "window: across is width, up is brighter"],
  ["Middle button, Space with the left", "move the image"],
  ["Wheel, two fingers", "zoom; two fingers move too"],
  ["Alt with brush or outline", "erase"],
];

/** The sheet of keys. */
export function showHelp(): void {
  if (document.querySelector("dialog[open]")) return;
  const letters = h("input", {
    type: "checkbox",
    id: "letter-keys",
    onchange: () => change({ letterKeys: letters.checked }),
  });
  letters.checked = settings.value.letterKeys;
  const pressure = h("input", {
    type: "checkbox",
    id: "pressure",
    onchange: () => change({ pressure: pressure.checked }),
  });
  pressure.checked = settings.value.pressure;
  const dialog: HTMLDialogElement = h(
    "dialog",
    { class: "sheet", "aria-labelledby": "sheet-title" },
    h("h2", { id: "sheet-title", text: "Keys" }),
    h(
      "div",
      { class: "columns" },
      ...GROUPS.map((group) => section(group)),
      h("section", {}, h("h3", { text: "Pointer" }), pointerRows()),
    ),
    h(
      "div",
      { class: "choices" },
      h("span", {}, letters, h("label", { for: "letter-keys", text: " Single keys act" })),
      h("span", {}, pressure, h("label", { for: "pressure", text: " The pen's pressure sets the radius" })),
      h("button", { class: "main", text: "Close", autofocus: true, onclick: () => dialog.close() }),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function section(group: (typeof GROUPS)[number]): HTMLElement {
  const actions = ACTIONS.filter((action) => action.group === group);
  // Nine classes and five ratings are one line each.
  const single = actions.filter(({ name }) => !/^(Class|Draft rated) \d$/.test(name));
  const more: [string, string[]][] = [];
  if (group === "Tools") more.push(["Class to paint", ["1 to 9"]]);
  if (group === "Verdict") more.push(["Rate the draft", ["Shift+1 to 5"]]);
  return h(
    "section",
    {},
    h("h3", { text: group }),
    rows([...single.map(({ name, keys }): [string, readonly string[]] => [name, keys]), ...more]),
  );
}

function pointerRows(): HTMLElement {
  const lines = POINTER.map(([what, does]) =>
    h("div", {}, h("dt", { class: "quiet", text: what }), h("dd", { text: does })),
  );
  return h("dl", {}, ...lines);
}

function rows(lines: readonly (readonly [string, readonly string[]])[]): HTMLElement {
  const list = h("dl", {});
  for (const [name, keys] of lines) {
    const cell = h("dt", {});
    for (const key of keys) cell.append(h("kbd", { text: key }), " ");
    list.append(h("div", {}, cell, h("dd", { text: name })));
  }
  return list;
}
