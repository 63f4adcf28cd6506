import type { Edge } from "../core/chest";
import { chestWall, wallOnScreen } from "../core/chest";
import { Labelmap } from "../core/labelmap";
import { pixelColour } from "../core/mask_levels";
import { fitZoom, held } from "../core/view";
import { h, shortName } from "../dom";
import * as api from "../net/api";
import type { Item, LabelClass } from "../net/types";
import { settings } from "../state";
import { listen } from "../viewer/gestures";
import { MaskPainter } from "../viewer/mask_painter";
import { Pane, pyramidOf } from "../viewer/pane";
import { dragWindow, tableOf } from "../windows";

/** A view told without the image: the zoom, and the distance from chest wall and top in image pixels. */
export interface Linked {
  zoom: number;
  fromWall: number;
  fromTop: number;
}

export interface CellEvents {
  moved: (from: ViewCell, view: Linked) => void;
  chosen: (cell: ViewCell) => void;
  opened: (id: number) => void;
}

/** One of several images side by side: to be looked at, not drawn on. */
export class ViewCell {
  readonly pane: Pane;
  private wall: Edge | null = null;
  private readonly ends: (() => void)[] = [];
  private placed = false;
  private following = false;

  private constructor(
    readonly item: Item,
    canvas: HTMLDivElement,
    private readonly events: CellEvents,
  ) {
    this.pane = new Pane(canvas, item, {
      complete: () => this.place(),
    });
    this.pane.show(this.pane.view, true);
    this.ends.push(
      settings.follow(() => this.pane.setTable(tableOf(item))),
      listen(canvas, {
        pan: (dx, dy) => this.tell(() => this.pane.pan(dx, dy)),
        zoom: (at, factor) => this.tell(() => this.pane.zoomAt(at, factor)),
        window: (dx, dy) => dragWindow(item, dx, dy),
        hover: () => undefined,
        down: () => undefined,
        move: () => undefined,
        up: () => undefined,
        cancel: () => undefined,
        double: () => events.opened(item.id),
        pans: () => true,
      }),
    );
  }

  static async open(
    frame: HTMLElement,
    id: number,
    classes: readonly LabelClass[],
    events: CellEvents,
  ): Promise<ViewCell> {
    const item = await api.item(id);
    const words = [item.side, item.view].filter(Boolean).join(" ") || shortName(item.name);
    const canvas = h("div", {
      class: "canvas",
      tabindex: 0,
      role: "application",
      "aria-label": `${words}: ${item.name}`,
    });
    const title = h("button", {
      class: "title",
      text: `${words}  ${shortName(item.name)}`,
      title: "Open to draw",
      onclick: () => events.opened(id),
    });
    frame.append(canvas, title);
    const cell = new ViewCell(item, canvas, events);
    const mask = await api.mask(id).catch(() => null);
    if (mask) {
      const colours: number[] = [];
      for (const { index, colour } of classes) colours[index] = pixelColour(colour);
      const { labels } = new Labelmap(item, mask.labels);
      const { opacity, outline } = settings.value;
      cell.pane.mask = new MaskPainter(pyramidOf(item), labels, { colours, opacity, outline });
      cell.pane.redrawMask();
    }
    canvas.addEventListener("focus", () => events.chosen(cell));
    canvas.addEventListener("keydown", (event) => cell.key(event));
    return cell;
  }

  private key(event: KeyboardEvent): void {
    const pans: Record<string, [number, number]> = {
      ArrowLeft: [80, 0],
      ArrowRight: [-80, 0],
      ArrowUp: [0, 80],
      ArrowDown: [0, -80],
    };
    const pan = pans[event.key];
    if (pan) this.tell(() => this.pane.pan(...pan));
    else if (event.key === "+" || event.key === "=") this.tell(() => this.pane.zoomBy(1.25));
    else if (event.key === "-") this.tell(() => this.pane.zoomBy(0.8));
    else if (event.key === "Enter") this.events.opened(this.item.id);
    else return;
    event.preventDefault();
  }

  private tell(act: () => void): void {
    act();
    this.events.moved(this, this.linked);
  }

  /** Turn and move the image, once its first tile is there, so that the chest wall lies where it belongs. */
  private place(): void {
    if (this.placed) return;
    this.placed = true;
    const level = this.item.levels.length - 1;
    const tile = this.pane.tiles.store.get({ level, column: 0, row: 0 });
    const size = this.item.levels[level];
    const wanted = wallOnScreen(this.item.side);
    if (tile && tile.width === size.width) this.wall = chestWall(tile.greys, tile);
    if (wanted && this.wall && wanted !== this.wall) this.pane.view = { ...this.pane.view, mirrored: true };
    this.fit();
  }

  /** The whole image, its chest wall at the edge of the pane. */
  fit(): void {
    const { pane, item } = this;
    const zoom = fitZoom(item, pane.size);
    const half = pane.size.width / 2 / zoom;
    const x = this.wall === null ? item.width / 2 : this.wall === "left" ? half : item.width - half;
    pane.show({ ...pane.view, zoom, center: { x, y: item.height / 2 } });
  }

  get linked(): Linked {
    const { view } = this.pane;
    const fromWall = this.wall === "right" ? this.item.width - view.center.x : view.center.x;
    return { zoom: view.zoom, fromWall, fromTop: view.center.y };
  }

  follow({ zoom, fromWall, fromTop }: Linked): void {
    if (this.following) return;
    this.following = true;
    const x = this.wall === "right" ? this.item.width - fromWall : fromWall;
    this.pane.show(held({ ...this.pane.view, zoom, center: { x, y: fromTop } }, this.item));
    this.following = false;
  }

  showMask(shown: boolean): void {
    if (this.pane.mask) this.pane.mask.shown = shown;
    this.pane.redrawMask();
  }

  close(): void {
    for (const end of this.ends) end();
    this.pane.close();
  }
}
