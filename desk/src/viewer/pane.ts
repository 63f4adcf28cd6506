import { Layer, Shape, Stage, pixelRatio } from "./konva";
import type { Box, Point, Size } from "../core/geometry";
import type { Pyramid } from "../core/tiles";
import { TileStore } from "../core/tiles";
import type { View } from "../core/view";
import { aligned, fit, held, panned, toImage, toScreen, viewOf, visiblePart, zoomAt } from "../core/view";
import type { MaskPainter } from "./mask_painter";
import { TilePainter } from "./tile_painter";
import * as api from "../net/api";
import type { Item } from "../net/types";

export interface PaneEvents {
  /** The view, or what is drawn, has changed. */
  viewed?: (view: View) => void;
  failed?: (error: unknown) => void;
  /** All tiles that the view needs are there. */
  complete?: () => void;
}

/** The pyramid of an item, as the tiles' module wants it. */
export function pyramidOf(item: Item): Pyramid {
  return { width: item.width, height: item.height, tileSize: item.tile_size, levels: item.levels };
}

/** One image on the screen: its tiles, its mask, and a layer for cursors and handles. */
export class Pane {
  readonly stage: Stage;
  readonly overlay = new Layer({ listening: false });
  readonly tiles: TilePainter;
  readonly size: Size;
  view: View;
  mask: MaskPainter | null = null;
  /** Another mask, to compare with. */
  compared: MaskPainter | null = null;
  /** Drawn over image and mask by the magnifier. */
  lens: ((context: CanvasRenderingContext2D) => void) | null = null;
  private readonly imageLayer = new Layer({ listening: false });
  private readonly maskLayer = new Layer({ listening: false });
  private readonly watcher: ResizeObserver;
  private fitted = true;
  private closed = false;

  constructor(
    readonly container: HTMLDivElement,
    readonly item: Item,
    private readonly events: PaneEvents = {},
    mirrored = false,
  ) {
    const { clientWidth, clientHeight } = container;
    this.size = { width: Math.max(1, clientWidth), height: Math.max(1, clientHeight) };
    this.stage = new Stage({ container, ...this.size });
    this.tiles = new TilePainter(
      new TileStore(
        pyramidOf(item),
        (address, signal) => api.tile(item.id, address, signal),
        () => this.arrived(),
        (error) => events.failed?.(error),
        () => this.tellComplete(),
      ),
    );
    this.view = fit(item, this.size, mirrored);
    this.imageLayer.add(this.shape((context) => this.tiles.draw(context, this.view, this.size, this.ratio)));
    this.maskLayer.add(this.shape((context) => this.drawMasks(context)));
    this.overlay.add(this.shape((context) => this.lens?.(context)));
    this.stage.add(this.imageLayer, this.maskLayer, this.overlay);
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(container);
  }

  private shape(draw: (context: CanvasRenderingContext2D) => void): Shape {
    return new Shape({ listening: false, sceneFunc: (context) => draw(context._context) });
  }

  private drawMasks(context: CanvasRenderingContext2D): void {
    this.mask?.draw(context, this.view, this.size, this.ratio);
    this.compared?.draw(context, this.view, this.size, this.ratio);
  }

  /** Device pixels in a CSS pixel. */
  get ratio(): number {
    return pixelRatio();
  }

  private arrived(): void {
    if (this.closed) return;
    this.imageLayer.batchDraw();
    if (this.lens) this.overlay.batchDraw();
    requestAnimationFrame(() => performance.mark("desk-tile"));
  }

  /** Once drawn, tell whether all that the view needs is on the screen. */
  private tellComplete(): void {
    requestAnimationFrame(() => {
      if (this.closed || !this.tiles.store.idle) return;
      this.container.dataset["complete"] = String(this.item.id);
      performance.mark("desk-complete");
      this.events.complete?.();
    });
  }

  private resize(): void {
    const { clientWidth, clientHeight } = this.container;
    if (this.closed || clientWidth === 0 || clientHeight === 0) return;
    this.size.width = clientWidth;
    this.size.height = clientHeight;
    this.stage.size(this.size);
    this.show(this.fitted ? fit(this.item, this.size, this.view.mirrored) : this.view, this.fitted);
  }

  /** Show a view: draw what is there, and fetch what is missing. */
  show(view: View, fitted = false): void {
    this.view = view;
    this.fitted = fitted;
    this.container.dataset["view"] = [view.center.x, view.center.y, view.zoom, Number(view.mirrored)].join(
      " ",
    );
    Reflect.deleteProperty(this.container.dataset, "complete");
    this.want();
    this.redraw();
    this.tellComplete();
    this.events.viewed?.(view);
  }

  /** Fetch the tiles of the view and of further views (a magnifier's). */
  want(...others: { view: View; size: Size }[]): void {
    const needs = this.tiles.needs(this.view, this.size, this.ratio);
    for (const { view, size } of others) needs.push(...this.tiles.needs(view, size, this.ratio));
    this.tiles.store.want(needs);
  }

  redraw(): void {
    this.imageLayer.batchDraw();
    this.redrawMask();
    this.overlay.batchDraw();
  }

  redrawMask(): void {
    this.maskLayer.batchDraw();
  }

  setTable(table: Uint8Array): void {
    this.tiles.setTable(table);
    this.imageLayer.batchDraw();
    if (this.lens) this.overlay.batchDraw();
  }

  toImage(point: Point): Point {
    return toImage(this.view, this.size, point);
  }

  toScreen(point: Point): Point {
    return toScreen(this.view, this.size, point);
  }

  get part(): Box {
    return visiblePart(this.view, this.size, this.item);
  }

  fit(): void {
    this.show(fit(this.item, this.size, this.view.mirrored), true);
  }

  /** One image pixel on one device pixel. */
  exact(): void {
    this.show(aligned(this.view, this.size, 1 / this.ratio, this.ratio));
  }

  zoomAt(at: Point, factor: number): void {
    this.show(zoomAt(this.view, this.size, this.item, at, factor));
  }

  zoomBy(factor: number): void {
    this.zoomAt({ x: this.size.width / 2, y: this.size.height / 2 }, factor);
  }

  pan(dx: number, dy: number): void {
    this.show(panned(this.view, this.item, dx, dy));
  }

  centerOn(box: Box): void {
    this.show(held(viewOf(box, this.size, this.item, this.view.mirrored), this.item));
  }

  close(): void {
    this.closed = true;
    this.watcher.disconnect();
    this.tiles.store.close();
    this.stage.destroy();
  }
}
