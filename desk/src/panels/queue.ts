import type { Hands } from "../actions";
import { actionNamed } from "../actions";
import type { Desk } from "../desk";
import { fill, h, select, shortName } from "../dom";
import * as api from "../net/api";
import type { QueueItem } from "../net/types";
import { change, settings } from "../state";

const ORDERS = [
  ["need", "Need"],
  ["entropy", "Entropy"],
  ["audit", "Audit findings"],
  ["disagreement", "Disagreement"],
  ["unreviewed", "Unreviewed first"],
  ["random", "Random"],
  ["name", "Name"],
] as const;

const STATUSES = [
  ["all", "All"],
  ["open", "To do"],
  ["begun", "Begun"],
  ["accepted", "Accepted"],
  ["corrected", "Corrected"],
  ["rejected", "Rejected"],
  ["no_lesion", "No lesion"],
  ["unsure", "Unsure"],
] as const;

/** A sign for each status, so that colour is not needed to tell them apart. */
const SIGNS: Record<string, string> = {
  unreviewed: "○",
  begun: "◐",
  accepted: "✓",
  corrected: "✎",
  rejected: "✕",
  no_lesion: "∅",
  unsure: "?",
};

const PAGE = 100;

/** The queue at the left: order, filter, progress, and the images with the reasons why they come early. */
export class QueuePanel {
  readonly element: HTMLElement;
  private readonly list = h("ol", { class: "queue", "aria-label": "Images" });
  private readonly progress = h("progress", { "aria-label": "Images decided on" });
  private readonly share = h("span", { class: "quiet" });
  private readonly search: HTMLInputElement;
  private readonly more = h("button", {
    class: "more",
    text: "More images",
    hidden: true,
    onclick: () => void this.extend(),
  });
  private status = "all";
  private items: QueueItem[] = [];
  private total = 0;
  private asking = new AbortController();

  constructor(
    private readonly desk: Desk,
    private readonly opened: (id: number) => void,
    hands: Hands,
  ) {
    let pause: ReturnType<typeof setTimeout>;
    this.search = h("input", {
      type: "search",
      placeholder: "Name or patient",
      "aria-label": "Search the queue",
      oninput: () => {
        clearTimeout(pause);
        pause = setTimeout(() => void this.reload(), 250);
      },
    });
    const order = select(ORDERS, settings.value.order, (value) => {
      change({ order: value });
      void this.reload();
    });
    const status = select(STATUSES, "all", (value) => {
      this.status = value;
      void this.reload();
    });
    this.element = h(
      "aside",
      { class: "left", "aria-label": "Queue" },
      h("div", { class: "progress" }, this.progress, this.share),
      h("div", { class: "row" }, labelled("Order", order), labelled("Show", status)),
      this.search,
      h("div", { class: "scroll" }, this.list, this.more),
      h(
        "div",
        { class: "steps", role: "group", "aria-label": "Next image" },
        button(hands, "Image before in the list", "Before"),
        button(hands, "Skip: next image to do", "Skip"),
        button(hands, "Next image in the list", "Next"),
      ),
    );
    new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting)) void this.extend();
    }).observe(this.more);
    desk.open.follow((open) => this.mark(open?.item.id ?? null));
    desk.changes.follow((count) => {
      if (count > 0) void this.reload(Math.max(PAGE, this.items.length));
    });
  }

  focusSearch(): void {
    this.search.focus();
  }

  private wish(offset: number, limit: number) {
    return {
      order: settings.value.order,
      status: this.status,
      search: this.search.value.trim(),
      offset,
      limit,
    };
  }

  async reload(limit = PAGE): Promise<void> {
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const page = await api.queue(this.wish(0, Math.min(limit, 1000)), signal).catch((error: unknown) => {
      if (!signal.aborted) this.desk.say(`queue: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    });
    if (!page) return;
    this.items = page.items;
    this.total = page.total;
    const { total } = this.desk.session.value.counts;
    this.progress.max = Math.max(1, total);
    this.progress.value = page.reviewed;
    this.share.textContent = `${page.reviewed} of ${total} decided`;
    fill(this.list, ...this.items.map((item) => this.row(item)));
    if (this.items.length === 0) fill(this.list, h("li", { class: "empty", text: "No image fits." }));
    this.after();
  }

  private async extend(): Promise<void> {
    if (this.more.hidden || this.more.disabled) return;
    this.more.disabled = true;
    const page = await api.queue(this.wish(this.items.length, PAGE)).catch(() => null);
    this.more.disabled = false;
    if (!page) return;
    this.items.push(...page.items);
    this.list.append(...page.items.map((item) => this.row(item)));
    if (page.items.length === 0) this.total = this.items.length;
    this.after();
  }

  private after(): void {
    this.more.hidden = this.items.length >= this.total;
    this.mark(this.desk.open.value?.item.id ?? null);
  }

  private row(item: QueueItem): HTMLElement {
    const words = item.status.replace("_", " ");
    // What the name says already is not said twice: the list is narrow.
    const parts = item.name.toUpperCase().split(/[^A-Z]+/);
    const place = [item.side, item.view]
      .filter((word) => word && !parts.includes(word.toUpperCase()))
      .join(" ");
    const button = h(
      "button",
      {
        "data-id": item.id,
        onclick: () => this.opened(item.id),
        title: [item.name, ...item.reasons].join("; "),
      },
      h("span", { class: `sign ${item.status}`, "aria-hidden": "true", text: SIGNS[item.status] ?? "•" }),
      h("span", { class: "name", text: shortName(item.name) }),
      h("span", { class: "place", text: place }),
      h("span", { class: "hidden", text: words }),
      item.reasons.length > 0 && h("span", { class: "reason", text: item.reasons[0] }),
    );
    return h("li", {}, button);
  }

  private mark(id: number | null): void {
    for (const button of this.list.querySelectorAll("button")) {
      const here = id !== null && button.dataset["id"] === String(id);
      if (here) {
        button.setAttribute("aria-current", "true");
        button.scrollIntoView({ block: "nearest" });
      } else button.removeAttribute("aria-current");
    }
  }

  /** The image before or after the open one in the list as it is shown; null at its ends. */
  beside(step: 1 | -1): number | null {
    const id = this.desk.open.value?.item.id;
    const at = this.items.findIndex((item) => item.id === id);
    return this.items[at < 0 ? 0 : at + step]?.id ?? null;
  }
}

function button(hands: Hands, name: string, text: string): HTMLElement {
  const row = actionNamed(name);
  return h("button", { text, title: `${name} (${row.keys.join(", ")})`, onclick: () => row.run(hands) });
}

function labelled(text: string, control: HTMLElement): HTMLElement {
  return h("label", {}, h("span", { text }), control);
}
