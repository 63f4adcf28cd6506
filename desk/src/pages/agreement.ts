import { fill, h } from "../dom";
import * as api from "../net/api";

/** How far readers agree, as the server counts it. */
export async function agreementPage(place: HTMLElement): Promise<void> {
  const page = h("section", { class: "page", "aria-label": "Agreement" }, h("h2", { text: "Agreement" }));
  fill(place, page);
  try {
    await api.agreement();
  } catch (error) {
    page.append(h("p", { text: error instanceof Error ? error.message : String(error) }));
  }
}
