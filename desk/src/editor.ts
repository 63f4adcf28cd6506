import type { Box, Point } from "./core/geometry";
import { isEmpty } from "./core/geometry";
import type { Edit } from "./core/labelmap";
import { Labelmap } from "./core/labelmap";
import { pixelColour } from "./core/mask_levels";
import { decodeRuns } from "./core/runs";
import type { Region } from "./core/shapes";
import type { QueueState, StrokeStore } from "./core/strokes";
import { StrokeQueue, withStrokes } from "./core/strokes";
import * as api from "./net/api";
import type { Item, LabelClass, Patch } from "./net/types";
import { settings } from "./state";
import { MaskPainter } from "./viewer/mask_painter";
import { pyramidOf } from "./viewer/pane";

/** Where pending strokes are kept, and which tabs of this browser are open. */
export interface Keeper {
  store: StrokeStore;
  tab: string;
  living: () => Promise<Set<string>>;
}

export interface EditorEvents {
  /** Labels were painted; `final` once the stroke is done. */
  painted: (final: boolean) => void;
  state: (state: QueueState) => void;
}

/** The mask of one image as it is edited: labels, undo, painting on the screen, and saving. */
export class Editor {
  readonly map: Labelmap;
  readonly painter: MaskPainter;
  readonly queue: StrokeQueue;
  /** How many strokes of an earlier page were found and taken over. */
  readonly recovered: number;
  private stopFollowing: () => void;

  private constructor(
    readonly item: Item,
    readonly classes: readonly LabelClass[],
    labels: Uint8Array,
    queue: StrokeQueue,
    recovered: number,
    private readonly events: EditorEvents,
  ) {
    this.map = new Labelmap(item, labels);
    this.painter = new MaskPainter(pyramidOf(item), this.map.labels, styleOf(classes));
    this.queue = queue;
    this.recovered = recovered;
    this.stopFollowing = this.followSettings();
  }

  static async open(
    item: Item,
    reader: string,
    classes: readonly LabelClass[],
    keeper: Keeper,
    events: EditorEvents,
  ): Promise<Editor> {
    const key = keyOf(reader, item);
    const left = await StrokeQueue.left(keeper.store, key, await keeper.living(), keeper.tab);
    const newest = await api.mask(item.id);
    // What an earlier page left was drawn on its own version: it is sent as drawn there, and meets a newer one as a conflict.
    const base = left[0]?.base ?? newest.version;
    const mask = base === newest.version ? newest : await api.mask(item.id, base);
    const queue = new StrokeQueue(
      key,
      base,
      keeper.tab,
      keeper.store,
      (version, stroke) => api.sendStroke(item.id, version, stroke),
      (state) => events.state(state),
      crypto.randomUUID(),
    );
    const labels = withStrokes(mask.labels, item.width, left);
    const editor = new Editor(item, classes, labels, queue, left.length, events);
    queue.adopt(left);
    return editor;
  }

  private followSettings(): () => void {
    let style = "";
    return settings.follow(({ opacity, outline, maskShown, over, locked }) => {
      for (const { index } of this.classes) this.map.lock(index, locked.has(index));
      this.map.paintOver(over);
      const wanted = `${opacity} ${String(outline)} ${String(maskShown)}`;
      if (wanted === style) return;
      style = wanted;
      this.painter.shown = maskShown;
      this.painter.setStyle(styleOf(this.classes));
      this.events.painted(false);
    });
  }

  /** Paint a region while a stroke goes on. */
  paint(region: Region, label: number): void {
    this.painter.changed(this.map.paint(region, label));
    this.events.painted(false);
  }

  /** Paint a region as a stroke of its own. */
  stamp(region: Region, label: number, tool: string): boolean {
    this.paint(region, label);
    return this.commit(tool);
  }

  /** End a stroke: it is shown, kept and sent. False where it changed nothing. */
  commit(tool: string): boolean {
    return this.take(this.map.commit(tool));
  }

  cancel(): void {
    this.painter.changed(this.map.cancel());
    this.events.painted(false);
  }

  undo(): boolean {
    return this.take(this.map.undo());
  }

  redo(): boolean {
    return this.take(this.map.redo());
  }

  /** Put labels of the server's tools into their box, as a stroke. */
  paste({ box, runs }: Patch, tool: string): boolean {
    if (!box || isEmpty(box)) return false;
    this.map.paste(box, decodeRuns(runs, box.width * box.height));
    return this.take(this.map.commit(tool));
  }

  /** Replace the whole mask, as a stroke. */
  replace(labels: Uint8Array, tool: string): boolean {
    return this.take(this.map.replace(labels, tool));
  }

  private take(edit: Edit | null): boolean {
    if (edit) {
      this.painter.changed(edit.box);
      void this.queue.add(edit.box, edit.after, edit.tool);
    }
    this.events.painted(true);
    return edit !== null;
  }

  /** Show labels that the server holds; earlier strokes can no longer be undone. */
  load(labels: Uint8Array): void {
    this.map.reset(labels);
    this.painter.changedEverywhere();
    this.events.painted(true);
  }

  labelAt({ x, y }: Point): number | null {
    const inside = x >= 0 && y >= 0 && x < this.item.width && y < this.item.height;
    return inside ? this.map.at(Math.floor(x), Math.floor(y)) : null;
  }

  /** The smallest box that holds all pixels of a label; null where there are none. */
  boxOf(label: number): Box | null {
    const { width, height } = this.item;
    let left = width;
    let right = -1;
    let top = -1;
    let bottom = -1;
    for (let y = 0; y < height; y++) {
      const row = this.map.labels.subarray(y * width, (y + 1) * width);
      const from = row.indexOf(label);
      if (from < 0) continue;
      left = Math.min(left, from);
      right = Math.max(right, row.lastIndexOf(label));
      if (top < 0) top = y;
      bottom = y;
    }
    return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
  }

  close(): void {
    this.stopFollowing();
    this.queue.close();
  }
}

/** An image in the store: by reader and content, since another desk may have the same address later. */
function keyOf(reader: string, item: Item): string {
  return [encodeURIComponent(reader), item.id, item.image_sha256].join("|");
}

/** The images of a reader that have strokes in the store, of this tab or of one that is gone. */
export async function unsentItems(keeper: Keeper, reader: string): Promise<number[]> {
  const living = await keeper.living();
  const mine = (await keeper.store.all()).filter(({ tab }) => tab === keeper.tab || !living.has(tab));
  const keys = mine
    .map(({ item }) => item.split("|"))
    .filter(([name]) => name === encodeURIComponent(reader));
  return [...new Set(keys.map(([, id]) => Number(id)))];
}

function styleOf(classes: readonly LabelClass[]) {
  const colours: number[] = [];
  for (const { index, colour } of classes) colours[index] = pixelColour(colour);
  const { opacity, outline } = settings.value;
  return { colours, opacity, outline };
}
