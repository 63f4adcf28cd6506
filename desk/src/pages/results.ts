import { fill, h } from "../dom";
import * as api from "../net/api";

/** Runs and reports, as the server lists them. */
export async function resultsPage(place: HTMLElement, part: string): Promise<void> {
  const page = h("section", { class: "page", "aria-label": "Results" }, h("h2", { text: "Results" }));
  fill(place, page);
  try {
    await api.results(part ? `/${encodeURIComponent(part)}` : "");
  } catch (error) {
    page.append(h("p", { text: error instanceof Error ? error.message : String(error) }));
  }
}
