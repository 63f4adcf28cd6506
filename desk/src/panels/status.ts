import type { Desk } from "../desk";
import { h, shortName } from "../dom";
import { nameOf, settings } from "../state";
import { windowOf } from "../windows";

/** The line below the image: what lies under the pointer, the window, and what was said last. */
export function statusLine(desk: Desk): HTMLElement {
  const place = h("span", { class: "under" });
  const view = h("span", { class: "quiet" });
  const said = h("span", { class: "said", role: "status", "aria-live": "polite" });
  const about = h("span", { class: "about" });
  desk.hovered.follow((at) => {
    const open = desk.open.value;
    const label = open && at ? open.editor.labelAt(at) : null;
    if (!open || !at || label === null) {
      place.textContent = "";
      return;
    }
    const x = Math.floor(at.x);
    const y = Math.floor(at.y);
    const grey = open.pane.tiles.greyAt(x, y);
    const what = label === 0 ? "background" : nameOf(desk.session.value.classes, label);
    place.textContent = `x ${x}  y ${y}  value ${grey ?? ""}  ${what}`;
  });
  const look = () => {
    const open = desk.open.value;
    if (!open) {
      view.textContent = about.textContent = "";
      return;
    }
    const { center, width } = windowOf(open.item);
    view.textContent = `C ${Math.round(center)}  W ${Math.round(width)}`;
    about.textContent = [shortName(open.item.name), open.item.side, open.item.view]
      .filter(Boolean)
      .join("  ");
    about.title = [`${open.item.width} × ${open.item.height} pixels`, ...open.item.reasons].join("; ");
  };
  desk.open.follow(look);
  settings.follow(look);
  desk.said.follow((text) => (said.textContent = text));
  desk.busy.follow((what) => {
    if (what) said.textContent = `${what} …`;
    else if (said.textContent.endsWith(" …")) said.textContent = "";
  });
  return h("div", { class: "status" }, about, view, place, said);
}
