import type { Desk } from "../desk";
import { fill, h } from "../dom";
import * as api from "../net/api";

const TARGETS = [
  ["dataset", "Data set", "Images with reviewed masks, and a manifest with annotator, status and time."],
  ["coco", "COCO", "Outlines and run lengths of the reviewed masks in one JSON file."],
  ["seg", "DICOM SEG", "One segmentation object for each image that was DICOM."],
  ["csv", "Decisions", "One row for each decision."],
] as const;

/** What leaves the desk: written by the server beside the data set. */
export function exportPage(place: HTMLElement, desk: Desk): void {
  const told = h("div", { role: "status" });
  const write = async (target: string, button: HTMLButtonElement) => {
    button.disabled = true;
    fill(told, h("p", { text: "Writing …" }));
    try {
      const { folder, files } = await api.exportTo(target);
      fill(told, ...written(folder, files));
    } catch (error) {
      fill(told, h("p", { text: error instanceof Error ? error.message : String(error) }));
    }
    button.disabled = false;
  };
  const rows = TARGETS.map(([target, text, about]) => {
    const button: HTMLButtonElement = h("button", {
      text: `Write ${text}`,
      onclick: () => void write(target, button),
    });
    return h("tr", {}, h("td", {}, button), h("td", { text: about }));
  });
  fill(
    place,
    h(
      "main",
      { class: "page" },
      h("h2", { text: "Export" }),
      h("p", {
        class: "quiet",
        text: `Files are written on the machine of the desk, beside ${desk.session.value.project.name}.`,
      }),
      h("table", {}, h("tbody", {}, ...rows)),
      h(
        "p",
        {},
        h("a", {
          href: "/api/decisions.csv",
          download: "decisions.csv",
          text: "Download the decisions as CSV",
        }),
      ),
      told,
    ),
  );
}

const MOST = 50;

function written(folder: string, files: readonly string[]): HTMLElement[] {
  const rest = files.length - MOST;
  return [
    h("p", {}, `${files.length} ${files.length === 1 ? "file" : "files"} in `, h("code", { text: folder })),
    h(
      "ul",
      {},
      ...files.slice(0, MOST).map((file) => h("li", { text: file })),
      rest > 0 && h("li", { text: `and ${rest} more` }),
    ),
  ];
}
