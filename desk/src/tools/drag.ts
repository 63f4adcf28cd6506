import { Rect, Shape } from "../viewer/konva";
import type { Box, Point } from "../core/geometry";
import { boxAround, isEmpty } from "../core/geometry";
import type { Bench, Place, Tool } from "./tool";
import { onOverlay } from "./tool";

/** Drag a rectangle; what is to be done with it comes at its end. */
export class BoxTool implements Tool {
  private start: Point | null = null;
  private stop: Point | null = null;
  private readonly frame: Rect;

  constructor(
    private readonly bench: Bench,
    private readonly act: (box: Box) => void,
  ) {
    this.frame = onOverlay(
      bench.pane,
      new Rect({ stroke: "#ffd24a", strokeWidth: 1.5, dash: [6, 4], visible: false }),
    );
  }

  down(at: Place): void {
    this.start = this.stop = at.image;
  }

  move(at: Place): void {
    if (!this.start) return;
    this.stop = at.image;
    const [a, b] = [this.bench.pane.toScreen(this.start), this.bench.pane.toScreen(at.image)];
    this.frame.setAttrs({
      visible: true,
      x: Math.min(a.x, b.x),
      y: Math.min(a.y, b.y),
      width: Math.abs(a.x - b.x),
      height: Math.abs(a.y - b.y),
    });
    this.bench.pane.overlay.batchDraw();
  }

  up(): void {
    if (!this.start || !this.stop) return;
    const box = boxAround([this.start, this.stop], 0, this.bench.editor.item);
    this.cancel();
    if (isEmpty(box) || box.width < 8 || box.height < 8)
      this.bench.say("Drag a box over the part to predict.");
    else this.act(box);
  }

  cancel(): boolean {
    const busy = this.start !== null;
    this.start = this.stop = null;
    this.frame.visible(false);
    this.bench.pane.overlay.batchDraw();
    return busy;
  }

  end(): void {
    this.cancel();
    this.frame.destroy();
  }
}

/** Length of a line in millimetres where the image tells its pixels' size, else in pixels. */
export function lengthOf(a: Point, b: Point, spacing: readonly [number, number] | null): string {
  if (!spacing) return `${Math.hypot(b.x - a.x, b.y - a.y).toFixed(1)} px`;
  const [row, column] = spacing;
  return `${Math.hypot((b.x - a.x) * column, (b.y - a.y) * row).toFixed(1)} mm`;
}

/** A ruler: it stays until the next one is drawn, or Escape. */
export class RulerTool implements Tool {
  private from: Point | null = null;
  private to: Point | null = null;
  private drawing = false;
  private readonly shape: Shape;

  constructor(private readonly bench: Bench) {
    this.shape = onOverlay(bench.pane, new Shape({ sceneFunc: (context) => this.draw(context._context) }));
  }

  down(at: Place): void {
    this.from = this.to = at.image;
    this.drawing = true;
  }

  move(at: Place): void {
    if (!this.drawing) return;
    this.to = at.image;
    this.bench.pane.overlay.batchDraw();
  }

  up(at: Place): void {
    this.move(at);
    this.drawing = false;
    if (this.from && this.to) this.bench.say(lengthOf(this.from, this.to, this.bench.editor.item.spacing_mm));
  }

  private draw(context: CanvasRenderingContext2D): void {
    if (!this.from || !this.to) return;
    const a = this.bench.pane.toScreen(this.from);
    const b = this.bench.pane.toScreen(this.to);
    for (const [width, colour] of [
      [4, "rgba(0, 0, 0, 0.6)"],
      [1.5, "#ffd24a"],
    ] as const) {
      context.beginPath();
      context.moveTo(a.x, a.y);
      context.lineTo(b.x, b.y);
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.stroke();
    }
    const text = lengthOf(this.from, this.to, this.bench.editor.item.spacing_mm);
    context.font = "13px system-ui, sans-serif";
    const wide = context.measureText(text).width;
    context.fillStyle = "rgba(0, 0, 0, 0.75)";
    context.fillRect(b.x + 8, b.y - 20, wide + 10, 20);
    context.fillStyle = "#ffd24a";
    context.fillText(text, b.x + 13, b.y - 6);
  }

  cancel(): boolean {
    const busy = this.from !== null;
    this.from = this.to = null;
    this.drawing = false;
    this.bench.pane.overlay.batchDraw();
    return busy;
  }

  end(): void {
    this.shape.destroy();
    this.bench.pane.overlay.batchDraw();
  }
}

/** The hand moves the image; the gestures do it, there is nothing for the tool to do. */
export class HandTool implements Tool {
  cancel(): boolean {
    return false;
  }

  end(): void {
    /* Nothing is kept. */
  }
}
