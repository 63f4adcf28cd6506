import type { QueueState } from "../core/strokes";
import type { Desk } from "../desk";
import { fill, h } from "../dom";
import type { Hands } from "../actions";
import { logout } from "../net/api";

/** Address, name, and the page that it leads to; some need a role. */
const PAGES = [
  ["#/", "Review", "image"],
  ["#/results", "Results", "results"],
  ["#/agreement", "Agreement", "agreement"],
  ["#/export", "Export", "export"],
] as const;

/** The line at the top: the project, the pages, what is saved, who reads. */
export function header(desk: Desk, hands: Hands): HTMLElement {
  const { project, reader, role, blind } = desk.session.value;
  const pages = role === "admin" ? [...PAGES, ["#/accounts", "Accounts", "accounts"] as const] : PAGES;
  const links = pages.map(([href, text, page]) => ({ page, link: h("a", { href, text }) }));
  const mark = () => {
    const page = location.hash.replace(/^#\//, "").split("/")[0] ?? "";
    const here = page === "" || page === "views" ? "image" : page;
    for (const { page: name, link } of links) {
      if (name === here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const open = desk.open.value;
    links[0].link.setAttribute("href", open ? `#/image/${open.item.id}` : "#/");
  };
  window.addEventListener("hashchange", mark);
  desk.open.follow(mark);
  return h(
    "header",
    {},
    h("h1", { text: project.name, title: project.kind }),
    h("nav", { "aria-label": "Pages" }, ...links.map(({ link }) => link)),
    blind &&
      h("span", {
        class: "blind",
        text: "Blind: the model's mask is hidden until you have signed",
      }),
    h("span", { class: "gap" }),
    unsentImages(desk, hands),
    savingState(desk),
    h("span", { class: "quiet", text: `${reader} (${role})` }),
    h("button", { text: "Sign out", onclick: () => void signOut(desk) }),
    h("button", { text: "Keys ?", onclick: () => hands.help() }),
  );
}

/** A way to images whose strokes wait in this browser. */
function unsentImages(desk: Desk, hands: Hands): HTMLElement {
  const button = h("button", { class: "unsent", onclick: () => hands.open(desk.unsent.value[0] ?? null) });
  desk.unsent.follow((ids) => {
    button.hidden = ids.length === 0;
    button.textContent =
      ids.length === 1 ? "1 image has unsent strokes" : `${ids.length} images have unsent strokes`;
  });
  return button;
}

/** Strokes go out first; those that cannot are kept for the next time. */
async function signOut(desk: Desk): Promise<void> {
  await desk.saved();
  await desk.waiting("sign out", logout());
  location.reload();
}

const WORDS: Record<QueueState["kind"], (state: QueueState) => string> = {
  saved: () => "Saved",
  saving: (state) => `Saving ${count(state)}`,
  waiting: (state) => `Not connected: ${count(state)} kept in this browser`,
  conflict: () => "Changed elsewhere",
  refused: (state) => `Not accepted: ${state.kind === "refused" ? state.reason : ""}`,
};

function count(state: QueueState): string {
  const strokes = "count" in state ? state.count : 0;
  return strokes === 1 ? "1 stroke" : `${strokes} strokes`;
}

function savingState(desk: Desk): HTMLElement {
  const place = h("span", { class: "saving", role: "status" });
  desk.saving.follow((state) => {
    place.dataset["state"] = state.kind;
    const text = WORDS[state.kind](state);
    if (state.kind === "conflict")
      fill(place, text, h("button", { text: "Resolve", onclick: () => void desk.settle() }));
    else if (state.kind === "waiting") {
      fill(
        place,
        text,
        h("button", { text: "Try now", onclick: () => desk.open.value?.editor.queue.retry() }),
      );
      place.title = state.reason;
    } else fill(place, text);
  });
  return place;
}
