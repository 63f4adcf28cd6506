import type { Desk } from "../desk";
import { field, fill, h, select, swatch } from "../dom";
import type { ToolName } from "../state";
import { change, settings } from "../state";
import { actionNamed, keyOfTool } from "../actions";
import type { Hands } from "../actions";

interface ToolRow {
  name: ToolName;
  text: string;
  hint: string;
}

const ROWS: readonly ToolRow[] = [
  { name: "brush", text: "Brush", hint: "Paint. Alt erases, the pen's other end too." },
  { name: "eraser", text: "Eraser", hint: "Paint background." },
  {
    name: "polygon",
    text: "Polygon",
    hint: "Click points or drag; Enter, a double click or the first point closes.",
  },
  {
    name: "live-wire",
    text: "Live wire",
    hint: "Click along an edge: the outline snaps to it. Enter closes.",
  },
  { name: "grow", text: "Grow", hint: "Click into a lesion: the region grows to its edge." },
  { name: "fill", text: "Fill", hint: "Fill an enclosed area." },
  { name: "delete", text: "Delete", hint: "Delete the component under the pointer." },
  { name: "copy", text: "Copy", hint: "Copy a lesion from the model's mask." },
  { name: "predict", text: "Predict", hint: "Drag a box: the run's model predicts in it." },
  { name: "ruler", text: "Ruler", hint: "Measure in mm, or in pixels." },
  { name: "hand", text: "Hand", hint: "Move the image. The space bar held does it with any tool." },
];

/** Tools, classes and what the brush may paint over. */
export function toolsPanel(desk: Desk, hands: Hands): HTMLElement {
  const grid = h("div", { class: "tools", role: "group", "aria-label": "Tools" });
  const buttons = new Map<ToolName, HTMLButtonElement>();
  for (const { name, text, hint } of ROWS) {
    const key = keyOfTool(name);
    const button = h(
      "button",
      { title: `${hint} Key ${key}`, "aria-keyshortcuts": key, onclick: () => change({ tool: name }) },
      h("span", { text }),
      h("kbd", { text: key, "aria-hidden": "true" }),
    );
    buttons.set(name, button);
    grid.append(button);
  }
  const radius = h("input", {
    type: "range",
    min: 1,
    max: 200,
    step: 1,
    oninput: () => change({ radius: Number(radius.value) }),
  });
  const pixels = h("output", { class: "quiet" });
  const action = (name: string, text: string) => {
    const row = actionNamed(name);
    return h("button", {
      text,
      title: `${row.name} (${row.keys.join(", ")})`,
      onclick: () => row.run(hands),
    });
  };
  const helpers = h(
    "div",
    { class: "tools", role: "group", "aria-label": "Whole mask" },
    action("Undo", "Undo"),
    action("Redo", "Redo"),
    action("Smooth the class in sight", "Smooth"),
    action("Fill holes of the class", "Fill holes"),
    action("Take the model's whole mask", "Take draft"),
    action("Clear the mask", "Clear"),
  );
  settings.follow(({ tool, radius: size }) => {
    for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(name === tool));
    radius.value = String(size);
    pixels.textContent = `${size} px`;
  });
  desk.open.follow((open) => {
    const draft = open?.item.draft;
    buttons.get("copy")!.disabled = !draft?.present || draft.hidden;
    buttons.get("predict")!.disabled = !desk.session.value.has_model;
  });
  return h(
    "section",
    { "aria-label": "Tools" },
    grid,
    field("Radius", radius, pixels),
    classesPanel(desk),
    helpers,
  );
}

function classesPanel(desk: Desk): HTMLElement {
  const list = h("div", { class: "classes", role: "group", "aria-label": "Class to paint" });
  const { classes } = desk.session.value;
  const over = select(
    [["all", "everything"], ...classes.map(({ index, name }) => [String(index), name] as const)],
    "all",
    (value) => change({ over: value === "all" ? null : Number(value) }),
  );
  settings.follow(({ label, locked, over: only }) => {
    const focused =
      document.activeElement instanceof HTMLElement ? document.activeElement.dataset["focus"] : undefined;
    fill(list, ...classes.filter(({ index }) => index > 0).map((each) => row(each, label, locked)));
    over.value = only === null ? "all" : String(only);
    if (focused) list.querySelector<HTMLElement>(`[data-focus="${focused}"]`)?.focus();
  });
  return h("div", {}, list, field("Paint over", over));
}

function row(
  { index, name, colour }: { index: number; name: string; colour: string },
  label: number,
  locked: ReadonlySet<number>,
): HTMLElement {
  const isLocked = locked.has(index);
  const lock = () => {
    const next = new Set(locked);
    if (isLocked) next.delete(index);
    else next.add(index);
    change({ locked: next });
  };
  return h(
    "div",
    { class: "class" },
    h(
      "button",
      {
        "aria-pressed": String(index === label),
        "data-focus": `class-${index}`,
        onclick: () => change({ label: index }),
      },
      swatch(colour),
      h("span", { text: name }),
      index < 10 && h("kbd", { text: String(index), "aria-hidden": "true" }),
    ),
    h("button", {
      class: "lock",
      "aria-pressed": String(isLocked),
      "data-focus": `lock-${index}`,
      "aria-label": `${isLocked ? "locked" : "lock"} ${name}`,
      title: "No stroke changes a protected class.",
      text: isLocked ? "locked" : "lock",
      onclick: lock,
    }),
  );
}
