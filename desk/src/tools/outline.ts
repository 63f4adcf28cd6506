import { Line, Shape } from "../viewer/konva";
import type { Point } from "../core/geometry";
import { polygon } from "../core/shapes";
import * as api from "../net/api";
import { settings } from "../state";
import type { Bench, Place, Tool } from "./tool";
import { onOverlay } from "./tool";

const CLOSE_PX = 9;
const DRAG_STEP_PX = 3;

/** Polygon and live wire: anchors are set one by one, the closed outline is filled. */
export class OutlineTool implements Tool {
  private anchors: Point[] = [];
  /** The way from each anchor to the next, without the first anchor itself. */
  private ways: Point[][] = [];
  private ahead: Point[] = [];
  private erases = false;
  private dragging = false;
  private asking = false;
  private wish: Point | null = null;
  private work: Promise<void> = Promise.resolve();
  private readonly shade: Line;
  private readonly line: Line;
  private readonly dots: Shape;

  constructor(
    private readonly bench: Bench,
    private readonly wire: boolean,
  ) {
    const { pane } = bench;
    this.shade = onOverlay(pane, new Line({ stroke: "#000", strokeWidth: 3.5, opacity: 0.55, points: [] }));
    this.line = onOverlay(pane, new Line({ stroke: "#fff", strokeWidth: 1.5, points: [] }));
    this.dots = onOverlay(pane, new Shape({ sceneFunc: (context) => this.drawDots(context._context) }));
  }

  down(at: Place): void {
    if (this.anchors.length === 0) this.erases = at.touch.alt || at.touch.eraser;
    if (this.anchors.length > 2 && this.isNearFirst(at)) {
      this.finish();
      return;
    }
    this.dragging = !this.wire;
    this.addAnchor(at.image);
  }

  move(at: Place): void {
    const last = this.anchors.at(-1);
    if (!this.dragging || !last) return;
    const step = DRAG_STEP_PX / this.bench.pane.view.zoom;
    if (Math.hypot(at.image.x - last.x, at.image.y - last.y) >= step) this.addAnchor(at.image);
  }

  up(): void {
    this.dragging = false;
  }

  hover(at: Place | null): void {
    if (!at || this.anchors.length === 0) return;
    if (this.wire) this.look(at.image);
    else this.ahead = [at.image];
    this.draw();
  }

  double(): void {
    this.finish();
  }

  viewed(): void {
    this.draw();
  }

  private isNearFirst(at: Place): boolean {
    const first = this.bench.pane.toScreen(this.anchors[0]);
    return Math.hypot(first.x - at.touch.x, first.y - at.touch.y) <= CLOSE_PX;
  }

  private addAnchor(point: Point): void {
    const last = this.anchors.at(-1);
    this.anchors.push(point);
    this.ahead = [];
    if (last) {
      const at = this.ways.length;
      this.ways.push([point]);
      if (this.wire) this.follow(last, point, at);
    }
    this.draw();
  }

  /** Let the server lay the way between two anchors; until it has, the way is straight. */
  private follow(from: Point, to: Point, at: number): void {
    const ways = this.ways;
    this.work = this.work.then(async () => {
      const way = await this.bench.waiting("live wire", this.ask(from, to));
      if (way && ways === this.ways && at < ways.length) ways[at] = way;
      this.draw();
    });
  }

  /** Show the way to the pointer: one question at a time, the newest wish next. */
  private look(to: Point): void {
    this.wish = to;
    if (this.asking) return;
    this.asking = true;
    void (async () => {
      while (this.wish && this.anchors.length > 0) {
        const target: Point = this.wish;
        this.wish = null;
        const last = this.anchors.at(-1)!;
        const way = await this.ask(last, target).catch(() => [target]);
        if (this.anchors.at(-1) === last) this.ahead = way;
        this.draw();
      }
      this.asking = false;
    })();
  }

  private async ask(from: Point, to: Point): Promise<Point[]> {
    const { item } = this.bench.editor;
    const inside = ({ x, y }: Point): [number, number] => [
      Math.max(0, Math.min(item.width - 1, Math.floor(x))),
      Math.max(0, Math.min(item.height - 1, Math.floor(y))),
    ];
    const points = await api.liveWire(item.id, inside(from), inside(to));
    // The server names pixels; an outline goes through their middles.
    return points.map(([x, y]) => ({ x: x + 0.5, y: y + 0.5 }));
  }

  finish(): void {
    if (this.anchors.length < 3) {
      if (this.anchors.length > 0) this.bench.say("An outline needs three points or more.");
      return;
    }
    const [first, last] = [this.anchors[0], this.anchors.at(-1)!];
    const at = this.ways.length;
    this.ways.push([first]);
    if (this.wire) this.follow(last, first, at);
    const ways = this.ways;
    this.work = this.work.then(() => {
      if (ways !== this.ways) return;
      const { editor } = this.bench;
      const outline = [first, ...ways.flat()];
      this.clear();
      editor.stamp(
        polygon(outline, editor.item),
        this.erases ? 0 : settings.value.label,
        this.wire ? "live-wire" : "polygon",
      );
    });
  }

  back(): boolean {
    if (this.anchors.length === 0) return false;
    this.anchors.pop();
    this.ways = this.ways.slice(0, Math.max(0, this.anchors.length - 1));
    this.ahead = [];
    this.draw();
    return true;
  }

  private clear(): void {
    this.anchors = [];
    this.ways = [];
    this.ahead = [];
    this.wish = null;
    this.draw();
  }

  private draw(): void {
    const { pane } = this.bench;
    const path = this.anchors.length > 0 ? [this.anchors[0], ...this.ways.flat(), ...this.ahead] : [];
    const points = path.flatMap((point) => {
      const { x, y } = pane.toScreen(point);
      return [x, y];
    });
    for (const line of [this.shade, this.line]) line.points(points);
    pane.overlay.batchDraw();
  }

  private drawDots(context: CanvasRenderingContext2D): void {
    for (const [at, anchor] of this.anchors.entries()) {
      const { x, y } = this.bench.pane.toScreen(anchor);
      context.beginPath();
      context.arc(x, y, at === 0 ? 5 : 2.5, 0, 2 * Math.PI);
      context.fillStyle = at === 0 ? "#ffd24a" : "#fff";
      context.strokeStyle = "#000";
      context.fill();
      context.stroke();
    }
  }

  cancel(): boolean {
    const busy = this.anchors.length > 0;
    this.clear();
    return busy;
  }

  end(): void {
    this.cancel();
    for (const shape of [this.shade, this.line, this.dots]) shape.destroy();
    this.bench.pane.overlay.batchDraw();
  }
}
