import type { Box, Size } from "./geometry";
import { cutOut, EMPTY, isEmpty, putIn, unite, whole } from "./geometry";
import { decodeRuns, encodeRuns } from "./runs";
import type { Region } from "./shapes";

/** One finished stroke: the labels of a box before and after it, as run lengths. */
export interface Edit {
  tool: string;
  box: Box;
  before: number[];
  after: number[];
}

/**
 * The labels of a whole image, changed by strokes.
 *
 * A stroke is any number of `paint` calls, ended by `commit`. A second copy holds the labels as they were before
 * the stroke, so that the cost of a stroke is that of its box. Undo and redo are strokes themselves.
 */
export class Labelmap {
  readonly size: Size;
  readonly labels: Uint8Array;
  private readonly before: Uint8Array;
  private readonly locked = new Set<number>();
  private over: number | null = null;
  private dirty: Box = EMPTY;
  private readonly done: Edit[] = [];
  private undone: Edit[] = [];

  constructor(size: Size, labels?: Uint8Array) {
    const pixels = size.width * size.height;
    if (labels && labels.length !== pixels) {
      throw new RangeError(
        `expected ${pixels} labels (${size.width} x ${size.height}), found ${labels.length}`,
      );
    }
    this.size = size;
    this.labels = labels ?? new Uint8Array(pixels);
    this.before = this.labels.slice();
  }

  at(x: number, y: number): number {
    return this.labels[y * this.size.width + x];
  }

  /** Protect a class: no stroke changes its pixels. */
  lock(label: number, locked: boolean): void {
    if (locked) this.locked.add(label);
    else this.locked.delete(label);
  }

  isLocked(label: number): boolean {
    return this.locked.has(label);
  }

  /** Paint only over one label; `null` paints over all that are not locked. */
  paintOver(label: number | null): void {
    this.over = label;
  }

  /** Give the pixels of a region a label; returns the box that may have changed. */
  paint(region: Region, label: number): Box {
    if (isEmpty(region.box)) return EMPTY;
    this.dirty = unite(this.dirty, region.box);
    const { width } = this.size;
    const free = this.locked.size === 0 && this.over === null;
    region.spans((y, from, to) => {
      const start = y * width;
      if (free) this.labels.fill(label, start + from, start + to);
      else {
        for (let at = start + from; at < start + to; at++)
          if (this.mayChange(this.labels[at])) this.labels[at] = label;
      }
    });
    return region.box;
  }

  /** Write labels into a box, where they differ and may be changed; returns the box. */
  paste(box: Box, part: Uint8Array): Box {
    if (isEmpty(box)) return EMPTY;
    this.dirty = unite(this.dirty, box);
    const { width } = this.size;
    for (let row = 0; row < box.height; row++) {
      const start = (box.y + row) * width + box.x;
      for (let column = 0; column < box.width; column++) {
        const value = part[row * box.width + column];
        if (this.mayChange(this.labels[start + column])) this.labels[start + column] = value;
      }
    }
    return box;
  }

  private mayChange(label: number): boolean {
    return !this.locked.has(label) && (this.over === null || this.over === label);
  }

  /** End the stroke: the edit cut to what it changed, or null where it changed nothing. */
  commit(tool: string): Edit | null {
    const box = this.changedWithin(this.dirty);
    this.dirty = EMPTY;
    if (isEmpty(box)) return null;
    const edit = this.record(box, tool);
    this.done.push(edit);
    this.undone = [];
    return edit;
  }

  /** Take the stroke back before it is committed; returns the box to repaint. */
  cancel(): Box {
    const box = this.dirty;
    if (!isEmpty(box)) putIn(this.labels, this.size.width, box, cutOut(this.before, this.size.width, box));
    this.dirty = EMPTY;
    return box;
  }

  private record(box: Box, tool: string): Edit {
    const { width } = this.size;
    const after = cutOut(this.labels, width, box);
    const edit = { tool, box, before: encodeRuns(cutOut(this.before, width, box)), after: encodeRuns(after) };
    putIn(this.before, width, box, after);
    return edit;
  }

  private changedWithin(box: Box): Box {
    const { width } = this.size;
    let left = Infinity;
    let right = -1;
    let top = -1;
    let bottom = -1;
    for (let y = box.y; y < box.y + box.height; y++) {
      const start = y * width;
      let from = box.x;
      let to = box.x + box.width;
      while (from < to && this.labels[start + from] === this.before[start + from]) from++;
      if (from === to) continue;
      while (this.labels[start + to - 1] === this.before[start + to - 1]) to--;
      left = Math.min(left, from);
      right = Math.max(right, to);
      if (top < 0) top = y;
      bottom = y + 1;
    }
    return right < 0 ? EMPTY : { x: left, y: top, width: right - left, height: bottom - top };
  }

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** Take the last stroke back; the answer is the stroke that does it, or null. */
  undo(): Edit | null {
    return this.turn(this.done, this.undone, "undo");
  }

  redo(): Edit | null {
    return this.turn(this.undone, this.done, "redo");
  }

  private turn(from: Edit[], to: Edit[], tool: "undo" | "redo"): Edit | null {
    const edit = from.pop();
    if (!edit) return null;
    to.push(edit);
    return this.apply(edit.box, tool === "undo" ? edit.before : edit.after, tool);
  }

  /** Put labels into a box, whatever is locked, without a step of undo: what was saved elsewhere or before. */
  apply(box: Box, runs: readonly number[], tool: string): Edit {
    const part = decodeRuns(runs, box.width * box.height);
    putIn(this.labels, this.size.width, box, part);
    return this.record(box, tool);
  }

  /** Replace all labels, as one stroke that can be undone; null where nothing differs. */
  replace(labels: Uint8Array, tool: string): Edit | null {
    this.labels.set(labels);
    this.dirty = whole(this.size);
    return this.commit(tool);
  }

  /** Begin again from labels that the server holds: earlier strokes can no longer be undone. */
  reset(labels: Uint8Array): void {
    this.labels.set(labels);
    this.before.set(labels);
    this.dirty = EMPTY;
    this.done.length = 0;
    this.undone = [];
  }
}
