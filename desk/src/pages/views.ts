import type { Seen } from "../core/hanging";
import { arranged, SLOTS } from "../core/hanging";
import type { Desk } from "../desk";
import { field, fill, h, select } from "../dom";
import * as api from "../net/api";
import type { Views } from "../net/types";
import { ViewCell } from "./view_cell";
import type { CellEvents } from "./view_cell";

/** The views of a patient side by side. The answer takes the page away again. */
export async function viewsPage(
  place: HTMLElement,
  desk: Desk,
  id: number,
  open: (id: number) => void,
): Promise<() => void> {
  const views = await desk.waiting("views", api.views(id));
  if (!views) return () => undefined;
  const page = new ViewsPage(place, desk, id, views, open);
  await page.lay();
  return () => page.close();
}

class ViewsPage {
  private cells: ViewCell[] = [];
  private chosen: ViewCell | null = null;
  private masks = "all";
  private exam = "";
  private linked = true;
  private turn = 0;
  private readonly grid = h("div", { class: "views" });

  constructor(
    place: HTMLElement,
    private readonly desk: Desk,
    private readonly id: number,
    private readonly views: Views,
    private readonly open: (id: number) => void,
  ) {
    const dates = [...new Set(views.previous.map(({ date }) => date))].sort().reverse();
    const exams = [
      ["", "this exam"],
      ...dates.map((date) => [date, `previous exam ${date}`] as const),
      ...(dates.length > 0 ? [["beside", "this view, now and before"] as const] : []),
    ] as const;
    const exam = select(exams, "", (value) => {
      this.exam = value;
      void this.lay();
    });
    exam.disabled = dates.length === 0;
    const masks = select(
      [
        ["all", "all masks"],
        ["one", "mask of the chosen view"],
        ["none", "no mask"],
      ],
      "all",
      (value) => {
        this.masks = value;
        this.showMasks();
      },
    );
    const link = h("input", { type: "checkbox", onchange: () => (this.linked = link.checked) });
    link.checked = true;
    const back = h("button", {
      text: "Back to the image (Y)",
      onclick: () => open(this.chosen?.item.id ?? id),
    });
    const fit = h("button", { text: "Fit", onclick: () => this.cells.forEach((cell) => cell.fit()) });
    const quiet = dates.length === 0 ? "No previous exam is known." : "";
    fill(
      place,
      h(
        "section",
        { class: "views-page", "aria-label": "Four views" },
        h(
          "div",
          { class: "viewbar", role: "toolbar", "aria-label": "Views" },
          back,
          fit,
          field("Show", exam),
          field("Masks", masks),
          field("Linked zoom", link),
          h("span", { class: "quiet", text: quiet }),
        ),
        this.grid,
      ),
    );
  }

  /** The images to show, null for a view that is missing. */
  private wanted(): (Seen | null)[] {
    const now = this.views.views.map((view) => ({ ...view, date: "" }));
    if (this.exam === "") return arranged(now);
    if (this.exam !== "beside") return arranged(this.views.previous.filter(({ date }) => date === this.exam));
    const mine = now.find(({ id }) => id === (this.chosen?.item.id ?? this.id)) ?? now[0];
    if (!mine) return [];
    const before = this.views.previous
      .filter(({ side, view }) => side === mine.side && view === mine.view)
      .sort((first, second) => second.date.localeCompare(first.date));
    return [mine, before[0] ?? null];
  }

  async lay(): Promise<void> {
    const turn = ++this.turn;
    const wanted = this.wanted();
    this.end();
    this.grid.dataset["count"] = String(wanted.length);
    const frames = wanted.map((image, at) =>
      h(
        "div",
        { class: "cell" },
        image === null && h("p", { class: "empty", text: `No ${(SLOTS[at] ?? []).join(" ")} image` }),
      ),
    );
    fill(this.grid, ...frames);
    const events: CellEvents = {
      moved: (from, view) => {
        if (this.linked) for (const cell of this.cells) if (cell !== from) cell.follow(view);
      },
      chosen: (cell) => this.choose(cell),
      opened: (id) => this.open(id),
    };
    const { classes } = this.desk.session.value;
    await Promise.all(
      wanted.map(async (image, at) => {
        if (!image) return;
        const cell = await this.desk.waiting("view", ViewCell.open(frames[at], image.id, classes, events));
        if (!cell) return;
        if (turn !== this.turn) cell.close();
        else this.cells.push(cell);
      }),
    );
    if (turn !== this.turn) return;
    const first = this.cells.find(({ item }) => item.id === this.id) ?? this.cells[0];
    if (first) this.choose(first);
  }

  private choose(cell: ViewCell): void {
    this.chosen = cell;
    for (const other of this.cells)
      other.pane.container.parentElement?.classList.toggle("chosen", other === cell);
    this.showMasks();
  }

  private showMasks(): void {
    for (const cell of this.cells)
      cell.showMask(this.masks === "all" || (this.masks === "one" && cell === this.chosen));
  }

  private end(): void {
    for (const cell of this.cells) cell.close();
    this.cells = [];
  }

  close(): void {
    this.turn++;
    this.end();
  }
}
