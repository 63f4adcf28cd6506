import { Circle } from "../viewer/konva";
import type { Point } from "../core/geometry";
import { capsule } from "../core/shapes";
import { settings } from "../state";
import type { Bench, Place, Tool } from "./tool";
import { onOverlay } from "./tool";

/** A round brush: all pixels whose centres are within the radius of the pointer's way. The eraser paints background. */
export class BrushTool implements Tool {
  private readonly ring: Circle;
  private readonly shade: Circle;
  private last: Point | null = null;
  private label = 0;
  private place: Place | null = null;
  private readonly stopFollowing: () => void;

  constructor(
    private readonly bench: Bench,
    private readonly erases: boolean,
  ) {
    // Two rings, dark under light, are seen on black and on white.
    this.shade = onOverlay(
      bench.pane,
      new Circle({ stroke: "#000", strokeWidth: 3, opacity: 0.55, visible: false }),
    );
    this.ring = onOverlay(bench.pane, new Circle({ stroke: "#fff", strokeWidth: 1.2, visible: false }));
    this.stopFollowing = settings.follow(() => this.draw());
  }

  down(at: Place): void {
    const { tool, label } = settings.value;
    this.label = this.erases || at.touch.eraser || at.touch.alt ? 0 : label;
    this.last = at.image;
    this.bench.editor.paint(capsule(at.image, at.image, this.radius(at), this.bench.editor.item), this.label);
    if (tool === "brush" && this.bench.editor.map.isLocked(this.label))
      this.bench.say("This class is locked.");
  }

  move(at: Place): void {
    if (!this.last) return;
    this.bench.editor.paint(
      capsule(this.last, at.image, this.radius(at), this.bench.editor.item),
      this.label,
    );
    this.last = at.image;
  }

  up(at: Place): void {
    if (!this.last) return;
    this.move(at);
    this.last = null;
    this.bench.editor.commit(this.label === 0 ? "eraser" : "brush");
  }

  hover(at: Place | null): void {
    this.place = at;
    this.draw();
  }

  viewed(): void {
    this.draw();
  }

  private radius(at: Place): number {
    const { radius, pressure } = settings.value;
    const firmness = pressure && at.touch.kind === "pen" ? 0.4 + 1.2 * at.touch.pressure : 1;
    return Math.max(0.5, radius * firmness);
  }

  private draw(): void {
    const { pane } = this.bench;
    const radius = settings.value.radius * pane.view.zoom;
    for (const circle of [this.shade, this.ring]) {
      circle.visible(this.place !== null);
      if (this.place) circle.position({ x: this.place.touch.x, y: this.place.touch.y });
      circle.radius(Math.max(1.5, radius));
    }
    this.ring.dash(this.erases ? [4, 3] : []);
    pane.overlay.batchDraw();
  }

  cancel(): boolean {
    if (!this.last) return false;
    this.last = null;
    this.bench.editor.cancel();
    return true;
  }

  end(): void {
    this.cancel();
    this.stopFollowing();
    this.ring.destroy();
    this.shade.destroy();
    this.bench.pane.overlay.batchDraw();
  }
}
