type Listener = (event: Event) => void;
type Value = string | number | boolean | null | undefined | Listener;
type Child = Node | string | number | null | undefined | false;

/**
 * An element with attributes, listeners (`onclick` and its like) and children.
 *
 * Strings become text, never markup. `class` and `text` are short for className and textContent; `true` sets an
 * attribute without a value, `false`, null and undefined leave it out.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  given: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = String(value ?? "");
    else if (name === "class") element.className = String(value ?? "");
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, String(value));
  }
  append(element, ...children);
  return element;
}

export function append(element: Node, ...children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.appendChild(typeof child === "object" ? child : document.createTextNode(String(child)));
  }
}

export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, ...children);
}

/** A small square in a class's colour. A property of the style is set: an attribute would need the policy's leave. */
export function swatch(colour: string): HTMLElement {
  const square = h("span", { class: "swatch", "aria-hidden": "true" });
  square.style.backgroundColor = colour;
  return square;
}

let numbers = 0;

export function freshId(start: string): string {
  return `${start}-${numbers++}`;
}

/** A labelled control; the label is tied to it. */
export function field(label: string, control: HTMLElement, after?: HTMLElement): HTMLElement {
  if (!control.id) control.id = freshId("field");
  return h("div", { class: "field" }, h("label", { for: control.id, text: label }), control, after);
}

export function select(
  options: readonly (readonly [string, string])[],
  value: string,
  changed: (value: string) => void,
  label?: string,
): HTMLSelectElement {
  const element = h("select", {
    onchange: () => changed(element.value),
    "aria-label": label,
  });
  for (const [name, text] of options) element.append(h("option", { value: name, text }));
  element.value = value;
  return element;
}

export interface Choice {
  text: string;
  value: string;
  main?: boolean;
}

/** A question in a dialog; the answer is the value of the button, "" where it was left by Escape. */
export function ask(title: string, body: Child[], choices: readonly Choice[]): Promise<string> {
  const heading = h("h2", { text: title, id: freshId("title") });
  const buttons = choices.map((choice) =>
    h("button", {
      type: "button",
      class: choice.main ? "main" : "",
      text: choice.text,
      autofocus: choice.main,
      onclick: () => dialog.close(choice.value),
    }),
  );
  const dialog: HTMLDialogElement = h(
    "dialog",
    { "aria-labelledby": heading.id },
    heading,
    ...body,
    h("div", { class: "choices" }, ...buttons),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

/** The name of an image as it is shown: the folder `images`, which every data set has, is left out. */
export function shortName(name: string): string {
  return name.replace(/(^|\/)images\//, "$1");
}
