import type { Pane } from "./pane";
import type { Point } from "../core/geometry";

const RADIUS = 110;
const FACTOR = 3;

/** A magnifier at the pointer: image and mask three times as large as the view, in a circle. */
export class Lens {
  private at: Point | null = null;

  constructor(private readonly pane: Pane) {}

  show(at: Point | null): void {
    this.at = at;
    this.pane.lens = at ? (context) => this.draw(context) : null;
    if (at) this.pane.want(this.inside(at));
    this.pane.overlay.batchDraw();
  }

  private inside(at: Point) {
    const { view } = this.pane;
    return {
      view: { ...view, center: this.pane.toImage(at), zoom: view.zoom * FACTOR },
      size: { width: 2 * RADIUS, height: 2 * RADIUS },
    };
  }

  private draw(context: CanvasRenderingContext2D): void {
    if (!this.at) return;
    const { view, size } = this.inside(this.at);
    context.save();
    context.translate(this.at.x - RADIUS, this.at.y - RADIUS);
    context.beginPath();
    context.arc(RADIUS, RADIUS, RADIUS, 0, 2 * Math.PI);
    context.fillStyle = "#000";
    context.fill();
    context.save();
    context.clip();
    this.pane.tiles.draw(context, view, size, this.pane.ratio);
    this.pane.mask?.draw(context, view, size, this.pane.ratio);
    context.restore();
    context.lineWidth = 2;
    context.strokeStyle = "#d7dbe0";
    context.stroke();
    context.restore();
  }
}
