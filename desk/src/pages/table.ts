import { h } from "../dom";

/** A cell: text or a number as shown, or a link. */
export type Cell = string | Node;

/** A number to three decimals, a whole number as it is, "not known" where there is none. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "not known";
  return Number.isInteger(value) ? String(value) : value.toFixed(3);
}

export function table(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
): HTMLElement {
  return h(
    "table",
    {},
    h("caption", { class: "hidden", text: caption }),
    h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col", text })))),
    h(
      "tbody",
      {},
      ...rows.map((cells) =>
        h(
          "tr",
          {},
          ...cells.map((cell, at) => (at === 0 ? h("th", { scope: "row" }, cell) : h("td", {}, cell))),
        ),
      ),
    ),
  );
}

/** A part of a page with a heading; a sentence in place of the content where there is none. */
export function part(heading: string, content: HTMLElement | null, empty = "Nothing yet."): HTMLElement {
  return h("section", {}, h("h3", { text: heading }), content ?? h("p", { class: "quiet", text: empty }));
}
