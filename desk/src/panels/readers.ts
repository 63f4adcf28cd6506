import type { Desk } from "../desk";
import { fill, h } from "../dom";
import * as api from "../net/api";
import type { Reading } from "../net/types";

/** For a consensus: what each blind reader drew, to be looked at over the image and taken over. */
export function readersPanel(desk: Desk): HTMLElement {
  const list = h("ol", { class: "versions", "aria-label": "Readers" });
  const panel = h("section", { "aria-label": "What readers drew" }, h("h2", { text: "Readers" }), list);
  desk.open.follow((open) => {
    const readers = open?.item.readers ?? [];
    panel.hidden = readers.length === 0;
    fill(list, ...readers.map((reading) => row(desk, reading)));
  });
  return panel;
}

function row(desk: Desk, { reader, verdict }: Reading): HTMLElement {
  const take = async () => {
    const open = desk.open.value;
    const mask = open && (await desk.waiting("mask", api.maskOf(open.item.id, reader)));
    if (open && mask && !open.editor.replace(mask.labels, `take ${reader}'s`))
      desk.say("This is the mask already.");
  };
  return h(
    "li",
    {},
    h("span", { class: "what", text: `${reader}: ${verdict.replace("_", " ")}` }),
    h("button", {
      text: "look",
      "aria-label": `look at the mask of ${reader}`,
      onclick: () => void desk.compare((id) => api.maskOf(id, reader)),
    }),
    h("button", { text: "take", "aria-label": `take the mask of ${reader}`, onclick: () => void take() }),
  );
}
