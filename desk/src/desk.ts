import type { QueueState } from "./core/strokes";
import { ask, h } from "./dom";
import { Editor, unsentItems } from "./editor";
import type { Keeper } from "./editor";
import { settle } from "./conflicts";
import * as api from "./net/api";
import { pyramidOf, Pane } from "./viewer/pane";
import { MaskPainter } from "./viewer/mask_painter";
import type { Component, Item, Session, Verdict } from "./net/types";
import { Signal, settings } from "./state";
import { Stopwatch } from "./stopwatch";
import { Workbench } from "./bench";
import type { Point } from "./core/geometry";

/** An image that lies open. */
export interface Open {
  item: Item;
  pane: Pane;
  editor: Editor;
  bench: Workbench;
  clock: Stopwatch;
}

/** What the whole page shares: the session, the image that is open, what is being said. */
export class Desk {
  readonly open = new Signal<Open | null>(null);
  readonly saving = new Signal<QueueState>({ kind: "saved" });
  readonly said = new Signal("");
  readonly busy = new Signal("");
  readonly hovered = new Signal<Point | null>(null);
  readonly components = new Signal<Component[]>([]);
  readonly session: Signal<Session>;
  /** Rises with each decision and each restore: lists of the server's are read again. */
  readonly changes = new Signal(0);
  readonly comparing = new Signal(false);
  /** Images whose strokes wait in this browser to be opened again. */
  readonly unsent = new Signal<number[]>([]);
  private opening = 0;
  private settling = false;

  constructor(
    session: Session,
    private readonly keeper: Keeper,
    private readonly container: HTMLDivElement,
  ) {
    this.session = new Signal(session);
    window.addEventListener("online", () => this.open.value?.editor.queue.retry());
    window.addEventListener("beforeunload", (event) => {
      // Strokes that wait are kept by the browser; the reader may still want to let them go out first.
      if (this.saving.value.kind !== "saved") event.preventDefault();
    });
  }

  say = (text: string): void => {
    this.said.set(text);
  };

  /** Wait for the server, tell what went wrong; null where it did. */
  waiting = async <T>(what: string, work: Promise<T>): Promise<T | null> => {
    this.busy.set(what);
    try {
      return await work;
    } catch (error) {
      this.say(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    } finally {
      this.busy.set("");
    }
  };

  /** Wait until the strokes are saved: true then, false where they cannot be now. */
  saved(): Promise<boolean> {
    return new Promise((resolve) => {
      const stop = this.saving.follow(({ kind }) => {
        if (kind === "saving" && this.open.value) return;
        resolve(kind === "saved" || !this.open.value);
        // `follow` calls at once, before it has given back what ends it.
        queueMicrotask(() => stop());
      });
    });
  }

  /** Ask whether to leave an image whose strokes are not saved. */
  private async leaves(): Promise<boolean> {
    const words = "They stay in this browser, and are sent when the image is opened again here.";
    const choices = [
      { text: "Stay", value: "", main: true },
      { text: "Leave", value: "leave" },
    ];
    const left =
      (await ask("Some strokes are not saved yet", [h("p", { text: words })], choices)) === "leave";
    const { value } = this.open;
    if (!left && value) location.replace(`#/image/${value.item.id}`);
    return left;
  }

  /** Look for images with strokes that wait in this browser, besides the open one. */
  private async lookForUnsent(): Promise<void> {
    const open = this.open.value?.item.id;
    const ids = await unsentItems(this.keeper, this.session.value.reader);
    this.unsent.set(ids.filter((id) => id !== open));
  }

  async show(id: number): Promise<void> {
    const turn = ++this.opening;
    if (!(await this.saved()) && !(await this.leaves())) return;
    const item = await this.waiting("open", api.item(id));
    if (!item || turn !== this.opening) return;
    const { reader, classes } = this.session.value;
    this.close();
    // The pane comes first: its tiles are on their way while the mask is read.
    const pane = new Pane(this.container, item, {
      viewed: () => this.open.value?.bench.viewed(),
      failed: (error) => this.say(`tile: ${error instanceof Error ? error.message : String(error)}`),
    });
    pane.show(pane.view, true);
    const events = {
      painted: (final: boolean) => {
        pane.redrawMask();
        if (final)
          this.container.dataset["strokes"] = String(Number(this.container.dataset["strokes"] ?? 0) + 1);
      },
      state: (state: QueueState) => this.follow(state),
    };
    const editor = await this.waiting("mask", Editor.open(item, reader, classes, this.keeper, events));
    if (!editor || turn !== this.opening) {
      pane.close();
      editor?.close();
      return;
    }
    pane.mask = editor.painter;
    const bench = new Workbench(pane, editor, this.say, this.waiting, (at) => this.hovered.set(at));
    this.open.set({ item, pane, editor, bench, clock: new Stopwatch() });
    this.container.dataset["item"] = String(item.id);
    this.saving.set(editor.queue.state);
    pane.redraw();
    if (editor.recovered > 0) this.say(`${editor.recovered} strokes of an earlier page are being saved.`);
    void this.readComponents();
    void this.lookForUnsent();
  }

  private close(): void {
    const { value } = this.open;
    if (!value) return;
    this.open.set(null);
    value.bench.close();
    value.editor.close();
    value.clock.end();
    value.pane.close();
    this.components.set([]);
    this.comparing.set(false);
    for (const name of ["item", "complete", "strokes"]) Reflect.deleteProperty(this.container.dataset, name);
  }

  private follow(state: QueueState): void {
    const before = this.saving.value.kind;
    this.saving.set(state);
    if (state.kind === "conflict") void this.settle();
    if (state.kind === "saved" && before !== "saved") void this.readComponents();
  }

  /** Ask what to do about a conflict; again where the reader left it open and asks for it. */
  async settle(): Promise<void> {
    const state = this.saving.value;
    const open = this.open.value;
    if (this.settling || !open || state.kind !== "conflict") return;
    this.settling = true;
    await this.waiting("conflict", settle(open.editor, state.reader, state.at));
    this.settling = false;
  }

  async readComponents(): Promise<void> {
    const open = this.open.value;
    if (!open) return;
    const components = await api.components(open.item.id).catch(() => []);
    if (this.open.value === open) this.components.set(components);
  }

  /** Send the verdict; the answer is the next image, null at the end, undefined where it was not taken. */
  async sign(given: Verdict): Promise<number | null | undefined> {
    const open = this.open.value;
    if (!open) return undefined;
    if (!(await this.saved())) {
      this.say("Not signed: the strokes are not saved yet.");
      return undefined;
    }
    const whole = { ...given, seconds: open.clock.seconds, base_version: open.editor.queue.version };
    const signed = await this.waiting("sign", api.verdict(open.item.id, settings.value.order, whole));
    if (!signed) return undefined;
    this.changes.set(this.changes.value + 1);
    this.say(`Signed: ${signed.status.replace("_", " ")}.`);
    // The verdict may have changed the mask: where no image follows, this one is shown as it is now.
    if (signed.next === null) await this.show(open.item.id);
    return signed.next;
  }

  async restore(version: number): Promise<void> {
    const open = this.open.value;
    if (!open) return;
    if (!(await this.saved())) return;
    const restored = await this.waiting(
      "restore",
      api.restore(open.item.id, version, open.editor.queue.version),
    );
    if (!restored) return;
    const mask = await this.waiting("mask", api.mask(open.item.id));
    if (!mask) return;
    open.editor.load(mask.labels);
    open.editor.queue.version = mask.version;
    this.changes.set(this.changes.value + 1);
    this.say(`Version ${version} is back, as version ${mask.version}.`);
    void this.readComponents();
  }

  /** Show the outline of another mask (the model's, or an earlier version) over the image, or put it away. */
  async compare(read: ((id: number) => Promise<{ labels: Uint8Array }>) | null): Promise<void> {
    const open = this.open.value;
    if (!open) return;
    const other = read ? await this.waiting("compare", read(open.item.id)) : null;
    const white = this.session.value.classes.map(() => 0xffffff);
    open.pane.compared = other
      ? new MaskPainter(pyramidOf(open.item), other.labels, { colours: white, opacity: 0, outline: true })
      : null;
    this.comparing.set(other !== null);
    open.pane.redrawMask();
  }
}
