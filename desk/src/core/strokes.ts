import type { Box } from "./geometry";
import { putIn } from "./geometry";
import { same } from "./merge";
import { decodeRuns } from "./runs";

/**
 * A stroke on its way to the server.
 *
 * `item` names the image by its content and the reader as well: another desk may have the same address later.
 * `base` is the version that was acknowledged when the stroke was drawn.
 */
export interface PendingStroke {
  key: string;
  item: string;
  tab: string;
  number: number;
  base: number;
  box: Box;
  runs: number[];
  tool: string;
}

/** Where pending strokes outlive the page. */
export interface StrokeStore {
  put(stroke: PendingStroke): Promise<void>;
  remove(key: string): Promise<void>;
  all(): Promise<PendingStroke[]>;
}

/** What the server said of a stroke. */
export type Answer =
  { kind: "saved"; version: number } | { kind: "conflict"; version: number; reader: string; at: string };

/** Sends one stroke drawn on a version; throws `Refused` where sending again cannot help, any other error where it can. */
export type Send = (base: number, stroke: Pick<PendingStroke, "box" | "runs" | "tool">) => Promise<Answer>;

export class Refused extends Error {}

export type QueueState =
  | { kind: "saved" }
  | { kind: "saving"; count: number }
  | { kind: "waiting"; count: number; reason: string }
  | { kind: "conflict"; count: number; version: number; reader: string; at: string }
  | { kind: "refused"; count: number; reason: string };

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Sends the strokes of one image in their order, each as soon as the one before it is acknowledged.
 *
 * A stroke is kept in the store until the server has it. A lost connection is tried again, at first after half a second.
 * A conflict (another reader or tab saved meanwhile) stops the queue until `resolve`.
 */
export class StrokeQueue {
  private pending: PendingStroke[] = [];
  private running: Promise<void> | null = null;
  private blocked: QueueState | null = null;
  private pause = FIRST_PAUSE_MS;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private next = 0;
  private closed = false;
  private readonly idle: (() => void)[] = [];
  /** The version that the next stroke is drawn on. */
  version: number;

  constructor(
    readonly item: string,
    version: number,
    private readonly tab: string,
    private readonly store: StrokeStore,
    private readonly send: Send,
    private readonly changed: (state: QueueState) => void,
    private readonly runId: string,
  ) {
    this.version = version;
  }

  /** Strokes of this image that an earlier page kept and that no living tab owns, oldest first. */
  static async left(
    store: StrokeStore,
    item: string,
    living: ReadonlySet<string>,
    tab: string,
  ): Promise<PendingStroke[]> {
    const strokes = (await store.all()).filter(
      (stroke) => stroke.item === item && (stroke.tab === tab || !living.has(stroke.tab)),
    );
    // Those of one tab stay together: they were drawn one on the other.
    return strokes.sort(
      (first, second) => first.tab.localeCompare(second.tab) || first.number - second.number,
    );
  }

  /** Take over strokes that are in the store already, to be sent first. */
  adopt(strokes: readonly PendingStroke[]): void {
    this.pending.push(...strokes);
    this.next = strokes.reduce((most, stroke) => Math.max(most, stroke.number + 1), this.next);
    this.start();
  }

  /** Keep a stroke and send it; resolved once it is in the store. */
  async add(box: Box, runs: number[], tool: string): Promise<void> {
    const stroke = this.newStroke(box, runs, tool);
    this.pending.push(stroke);
    const kept = this.store.put(stroke);
    this.start();
    await kept;
  }

  private newStroke(box: Box, runs: number[], tool: string): PendingStroke {
    const number = this.next++;
    const key = `${this.item}/${this.runId}/${number}`;
    return { key, item: this.item, tab: this.tab, number, base: this.version, box, runs, tool };
  }

  get strokes(): readonly PendingStroke[] {
    return this.pending;
  }

  get state(): QueueState {
    if (this.blocked) return this.blocked;
    return this.pending.length === 0 ? { kind: "saved" } : { kind: "saving", count: this.pending.length };
  }

  /** Resolved once nothing is left to send (or the queue is closed). */
  async flushed(): Promise<void> {
    if (this.pending.length === 0 || this.closed) return;
    await new Promise<void>((done) => this.idle.push(done));
  }

  /** Try again at once, for instance when the connection is back. */
  retry(): void {
    if (this.blocked?.kind !== "waiting") return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.blocked = null;
    this.start();
  }

  /**
   * After a conflict: go on from the server's version, with `instead` in place of all that was pending, or nothing.
   *
   * What comes instead is in the store before the others leave it.
   */
  async resolve(
    version: number,
    instead: Pick<PendingStroke, "box" | "runs" | "tool"> | null,
  ): Promise<void> {
    const dropped = this.pending;
    this.pending = [];
    this.version = version;
    if (instead) {
      const stroke = this.newStroke(instead.box, instead.runs, instead.tool);
      this.pending.push(stroke);
      await this.store.put(stroke);
    }
    await this.resume(dropped, version);
  }

  /** The server has the first strokes already (its answer was lost): drop these and go on. */
  async acknowledge(count: number, version: number): Promise<void> {
    await this.resume(this.pending.splice(0, count), version);
  }

  private async resume(dropped: readonly PendingStroke[], version: number): Promise<void> {
    this.version = version;
    this.blocked = null;
    for (const stroke of dropped) await this.store.remove(stroke.key);
    this.start();
    if (this.pending.length === 0) this.finish();
  }

  close(): void {
    this.closed = true;
    if (this.timer) clearTimeout(this.timer);
    for (const done of this.idle.splice(0)) done();
  }

  private start(): void {
    if (this.closed || this.blocked) return;
    this.changed(this.state);
    this.running ??= this.drain().finally(() => {
      this.running = null;
    });
  }

  private async drain(): Promise<void> {
    while (this.pending.length > 0 && !this.blocked && !this.closed) {
      const stroke = this.pending[0];
      const answer = await this.attempt(stroke);
      if (this.closed || !answer || this.pending[0] !== stroke) return;
      if (answer.kind === "conflict") {
        this.block({ ...answer, count: this.pending.length });
        return;
      }
      this.version = answer.version;
      this.pause = FIRST_PAUSE_MS;
      this.pending.shift();
      await this.store.remove(stroke.key);
      this.changed(this.state);
    }
    this.finish();
  }

  private async attempt(stroke: PendingStroke): Promise<Answer | null> {
    try {
      return await this.send(this.version, stroke);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof Refused) this.block({ kind: "refused", count: this.pending.length, reason });
      else this.wait(reason);
      return null;
    }
  }

  private wait(reason: string): void {
    this.block({ kind: "waiting", count: this.pending.length, reason });
    if (this.closed) return;
    this.timer = setTimeout(() => this.retry(), this.pause);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
  }

  private block(state: QueueState): void {
    this.blocked = state;
    this.changed(state);
  }

  private finish(): void {
    if (this.pending.length > 0) return;
    this.changed(this.state);
    for (const done of this.idle.splice(0)) done();
  }
}

/** Labels with strokes applied, in their order. */
export function withStrokes(
  labels: Uint8Array,
  width: number,
  strokes: readonly PendingStroke[],
): Uint8Array {
  const result = labels.slice();
  for (const { box, runs } of strokes) putIn(result, width, box, decodeRuns(runs, box.width * box.height));
  return result;
}

/**
 * How many of the pending strokes the server's newest labels hold already: the answer to them was lost, not they.
 *
 * `base` are the labels that the first stroke was drawn on. -1 where the server's labels came about another way.
 */
export function alreadySaved(
  base: Uint8Array,
  newest: Uint8Array,
  width: number,
  strokes: readonly PendingStroke[],
): number {
  const labels = base.slice();
  for (let count = 1; count <= strokes.length; count++) {
    const { box, runs } = strokes[count - 1];
    putIn(labels, width, box, decodeRuns(runs, box.width * box.height));
    if (same(labels, newest)) return count;
  }
  return -1;
}
