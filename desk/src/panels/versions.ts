import type { Desk } from "../desk";
import { fill, h } from "../dom";
import * as api from "../net/api";
import type { Version } from "../net/types";

/** All versions of the mask: each can be looked at over the image, and brought back. */
export function versionsPanel(desk: Desk): HTMLElement {
  const list = h("ol", { class: "versions" });
  const details = h("details", { ontoggle: () => void read() }, h("summary", { text: "Versions" }), list);

  const read = async () => {
    const open = desk.open.value;
    if (!details.open || !open) return;
    const versions = await desk.waiting("versions", api.versions(open.item.id));
    if (!versions || desk.open.value !== open) return;
    if (versions.length === 0) fill(list, h("li", { class: "empty", text: "Nobody has changed this mask." }));
    else fill(list, ...versions.map((version) => row(desk, version)));
  };
  desk.open.follow(() => void read());
  desk.changes.follow(() => void read());
  desk.saving.follow((state) => {
    if (state.kind === "saved") void read();
  });
  return h("section", { "aria-label": "Versions of the mask" }, details);
}

function row(desk: Desk, { version, reader, at, tool, current }: Version): HTMLElement {
  const when = at ? new Date(at).toLocaleTimeString() : "";
  return h(
    "li",
    { "aria-current": current ? "true" : null },
    h("span", { class: "number", text: version }),
    h("span", { class: "what", text: `${tool}, ${reader} ${when}` }),
    h("button", {
      text: "look",
      "aria-label": `look at version ${version}`,
      onclick: () => void desk.compare((id) => api.mask(id, version)),
    }),
    !current &&
      h("button", {
        text: "restore",
        "aria-label": `restore version ${version}`,
        onclick: () => void desk.restore(version),
      }),
  );
}
