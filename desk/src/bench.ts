import type { Point } from "./core/geometry";
import type { Editor } from "./editor";
import * as api from "./net/api";
import type { ToolName } from "./state";
import { change, settings } from "./state";
import { BrushTool } from "./tools/brush";
import { BoxTool, HandTool, RulerTool } from "./tools/drag";
import { OutlineTool } from "./tools/outline";
import { copyTool, deleteTool, fillTool, growTool } from "./tools/point";
import type { Bench, Place, Tool } from "./tools/tool";
import type { Touch } from "./viewer/gestures";
import { listen } from "./viewer/gestures";
import { Lens } from "./viewer/lens";
import type { Pane } from "./viewer/pane";
import { dragWindow, tableOf } from "./windows";

/** A function for each tool, which takes it in hand. */
const TAKE: Record<ToolName, (bench: Bench) => Tool> = {
  brush: (bench) => new BrushTool(bench, false),
  eraser: (bench) => new BrushTool(bench, true),
  polygon: (bench) => new OutlineTool(bench, false),
  "live-wire": (bench) => new OutlineTool(bench, true),
  grow: growTool,
  fill: fillTool,
  delete: deleteTool,
  copy: copyTool,
  predict: (bench) => new BoxTool(bench, (box) => void predictIn(bench, box)),
  ruler: (bench) => new RulerTool(bench),
  hand: () => new HandTool(),
};

async function predictIn(
  bench: Bench,
  box: { x: number; y: number; width: number; height: number },
): Promise<void> {
  const patch = await bench.waiting("predict here", api.predict(bench.editor.item.id, box));
  if (patch && !bench.editor.paste(patch, "predict here"))
    bench.say("The model predicts what is drawn already.");
}

/** An image under the reader's hands: gestures, the tool in hand, the magnifier, the window. */
export class Workbench implements Bench {
  private tool: Tool;
  private toolName: ToolName;
  private readonly lens: Lens;
  private readonly ends: (() => void)[] = [];
  private place: Place | null = null;
  private spaceHeld = false;
  private penDown = false;

  constructor(
    readonly pane: Pane,
    readonly editor: Editor,
    readonly say: (text: string) => void,
    readonly waiting: <T>(what: string, work: Promise<T>) => Promise<T | null>,
    private readonly hovered: (at: Point | null) => void,
  ) {
    this.lens = new Lens(pane);
    this.toolName = settings.value.tool;
    this.tool = TAKE[this.toolName](this);
    this.ends.push(
      this.listen(),
      this.followWindow(),
      settings.follow(({ tool, magnifier }) => this.take(tool, magnifier)),
    );
  }

  private take(name: ToolName, magnifier: boolean): void {
    if (name !== this.toolName) {
      this.tool.end();
      this.toolName = name;
      this.tool = TAKE[name](this);
      this.tool.hover?.(this.place);
    }
    this.pane.container.dataset["tool"] = name;
    this.lens.show(magnifier ? (this.place?.touch ?? null) : null);
  }

  private followWindow(): () => void {
    let last = "";
    return settings.follow(({ window, inverted }) => {
      const wanted = JSON.stringify([window, inverted]);
      if (wanted === last) return;
      last = wanted;
      this.pane.setTable(tableOf(this.pane.item));
    });
  }

  private listen(): () => void {
    const place = (touch: Touch): Place => ({ image: this.pane.toImage(touch), touch });
    return listen(this.pane.container, {
      pan: (dx, dy) => this.pane.pan(dx, dy),
      zoom: (at, factor) => this.pane.zoomAt(at, factor),
      window: (dx, dy) => dragWindow(this.pane.item, dx, dy),
      hover: (touch) => this.hover(touch && place(touch)),
      down: (touch) => this.tool.down?.(place(touch)),
      move: (touch) => this.tool.move?.(place(touch)),
      up: (touch) => this.tool.up?.(place(touch)),
      cancel: () => this.tool.cancel(),
      double: (touch) => this.tool.double?.(place(touch)),
      pans: () => this.toolName === "hand" || this.spaceHeld,
    });
  }

  private hover(at: Place | null): void {
    this.place = at;
    this.tool.hover?.(at);
    if (settings.value.magnifier) this.lens.show(at?.touch ?? null);
    this.hovered(at?.image ?? null);
  }

  /** The view has moved: what is drawn over it follows. */
  viewed(): void {
    this.tool.viewed?.();
  }

  holdSpace(held: boolean): void {
    this.spaceHeld = held;
    this.pane.container.classList.toggle("panning", held);
  }

  finish(): void {
    this.tool.finish?.();
  }

  back(): boolean {
    return this.tool.back?.() ?? false;
  }

  /** Escape: give up what the tool does; else put the magnifier away. */
  cancel(): boolean {
    if (this.penDown) {
      this.penDown = false;
      return this.tool.cancel();
    }
    if (this.tool.cancel()) return true;
    if (!settings.value.magnifier) return false;
    change({ magnifier: false });
    return true;
  }

  /** Move the pointer without a mouse, in CSS pixels; the tool follows where it is pressed. */
  nudge(dx: number, dy: number): void {
    const { width, height } = this.pane.size;
    const from = this.place?.touch ?? { x: width / 2, y: height / 2 };
    const x = Math.max(0, Math.min(width, from.x + dx));
    const y = Math.max(0, Math.min(height, from.y + dy));
    const touch: Touch = { x, y, pressure: 0.5, shift: false, alt: false, eraser: false, kind: "keyboard" };
    const place = { image: this.pane.toImage(touch), touch };
    if (this.penDown) this.tool.move?.(place);
    this.hover(place);
  }

  /** Press the tool down, or lift it, where the pointer is. */
  press(): void {
    if (!this.place) this.nudge(0, 0);
    const { place } = this;
    if (!place) return;
    this.penDown = !this.penDown;
    if (this.penDown) this.tool.down?.(place);
    else this.tool.up?.(place);
    this.say(this.penDown ? "Tool down" : "Tool up");
  }

  /** The image place under the pointer. */
  get under(): Point | null {
    return this.place?.image ?? null;
  }

  close(): void {
    for (const end of this.ends) end();
    this.tool.end();
  }
}
