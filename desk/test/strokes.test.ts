import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import { merge } from "../src/core/merge";
import type { Answer, PendingStroke, QueueState, Send } from "../src/core/strokes";
import { alreadySaved, Refused, StrokeQueue, withStrokes } from "../src/core/strokes";
import { memoryStore, openStrokeStore } from "../src/net/stroke_store";

const BOX = { x: 0, y: 0, width: 2, height: 1 };

/** A server that holds a version, and can be away, refuse or be ahead. */
class Server {
  version = 1;
  away = false;
  refuses = false;
  /** Saves, but its answer is lost on the way. */
  mute = false;
  readonly received: number[][] = [];

  readonly send: Send = (base, stroke): Promise<Answer> => {
    if (this.away) return Promise.reject(new Error("no connection"));
    if (this.refuses) return Promise.reject(new Refused("the image changed on disk"));
    if (base !== this.version)
      return Promise.resolve({ kind: "conflict", version: this.version, reader: "bo", at: "10:00" });
    this.version++;
    this.received.push(stroke.runs);
    return this.mute
      ? Promise.reject(new Error("connection lost"))
      : Promise.resolve({ kind: "saved", version: this.version });
  };
}

function queueFor(server: Server, store = memoryStore()) {
  const states: QueueState[] = [];
  const queue = new StrokeQueue(
    "a",
    server.version,
    "tab1",
    store,
    server.send,
    (state) => states.push(state),
    "run1",
  );
  return { queue, states, store };
}

const settle = async () => {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
};

describe("the queue", () => {
  it("sends each stroke in order, on the version before it", async () => {
    const server = new Server();
    const { queue, states, store } = queueFor(server);
    for (const value of [1, 2, 3]) void queue.add(BOX, [value, 2], "brush");
    await queue.flushed();
    expect(server.received).toEqual([
      [1, 2],
      [2, 2],
      [3, 2],
    ]);
    expect([queue.version, await store.all(), states.at(-1)]).toEqual([4, [], { kind: "saved" }]);
  });

  it("keeps strokes while the server is away and sends them when it is back", async () => {
    vi.useFakeTimers();
    const server = new Server();
    server.away = true;
    const { queue, states, store } = queueFor(server);
    await queue.add(BOX, [1, 2], "brush");
    await queue.add(BOX, [2, 2], "brush");
    await settle();
    expect(states.at(-1)).toMatchObject({ kind: "waiting", reason: "no connection" });
    expect(await store.all()).toHaveLength(2);
    server.away = false;
    await vi.advanceTimersByTimeAsync(600);
    await queue.flushed();
    expect([server.received, await store.all()]).toEqual([
      [
        [1, 2],
        [2, 2],
      ],
      [],
    ]);
    vi.useRealTimers();
  });

  it("a page opened later sends what an earlier page left", async () => {
    const factory = new IDBFactory();
    const server = new Server();
    server.away = true;
    const first = queueFor(server, await openStrokeStore(factory));
    await first.queue.add(BOX, [1, 2], "brush");
    await first.queue.add(BOX, [2, 2], "brush");
    first.queue.close();

    server.away = false;
    const store = await openStrokeStore(factory);
    const left = await StrokeQueue.left(store, "a", new Set(["other"]), "tab2");
    expect(left.map((stroke) => stroke.runs)).toEqual([
      [1, 2],
      [2, 2],
    ]);
    const second = queueFor(server, store);
    second.queue.adopt(left);
    await second.queue.flushed();
    expect([server.received, await store.all()]).toEqual([
      [
        [1, 2],
        [2, 2],
      ],
      [],
    ]);
  });

  it("does not take the strokes of a tab that is still open, or of another image", async () => {
    const store = memoryStore();
    const stroke = {
      key: "1",
      item: "a",
      tab: "tab1",
      number: 0,
      base: 1,
      box: BOX,
      runs: [1, 2],
      tool: "brush",
    };
    await store.put(stroke);
    await store.put({ ...stroke, key: "2", item: "b", tab: "gone" });
    expect(await StrokeQueue.left(store, "a", new Set(["tab1", "tab2"]), "tab2")).toEqual([]);
    expect(await StrokeQueue.left(store, "a", new Set(["tab2"]), "tab2")).toEqual([stroke]);
    expect(await StrokeQueue.left(store, "a", new Set(["tab1"]), "tab1")).toEqual([stroke]);
  });

  it("stops at a conflict until it is resolved, and loses nothing until then", async () => {
    const server = new Server();
    const { queue, states, store } = queueFor(server);
    server.version = 7;
    await queue.add(BOX, [1, 2], "brush");
    await settle();
    expect(states.at(-1)).toEqual({ kind: "conflict", count: 1, version: 7, reader: "bo", at: "10:00" });
    await queue.add(BOX, [2, 2], "brush");
    expect([server.received, (await store.all()).length]).toEqual([[], 2]);
    await queue.resolve(7, { box: BOX, runs: [9, 2], tool: "merge" });
    await queue.flushed();
    expect([server.received, await store.all(), queue.state, queue.version]).toEqual([
      [[9, 2]],
      [],
      { kind: "saved" },
      8,
    ]);
  });

  it("after a conflict nothing is sent where theirs is taken", async () => {
    const server = new Server();
    const { queue, store } = queueFor(server);
    server.version = 3;
    await queue.add(BOX, [1, 2], "brush");
    await settle();
    await queue.resolve(3, null);
    expect([server.received, await store.all(), queue.state]).toEqual([[], [], { kind: "saved" }]);
  });

  it("a refusal is kept and not tried again", async () => {
    vi.useFakeTimers();
    const server = new Server();
    server.refuses = true;
    const { queue, store } = queueFor(server);
    await queue.add(BOX, [1, 2], "brush");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(queue.state).toEqual({ kind: "refused", count: 1, reason: "the image changed on disk" });
    expect(await store.all()).toHaveLength(1);
    vi.useRealTimers();
  });

  it("a stroke whose answer was lost is recognised in the server's labels", async () => {
    vi.useFakeTimers();
    const server = new Server();
    server.mute = true;
    const { queue, states } = queueFor(server);
    await queue.add(BOX, [1, 2], "brush");
    server.mute = false;
    await vi.advanceTimersByTimeAsync(600);
    expect(states.at(-1)?.kind).toBe("conflict");
    const count = alreadySaved(new Uint8Array(4), Uint8Array.of(1, 1, 0, 0), 2, queue.strokes);
    expect(count).toBe(1);
    await queue.acknowledge(count, 2);
    expect([queue.state, queue.version, server.received.length]).toEqual([{ kind: "saved" }, 2, 1]);
    vi.useRealTimers();
  });
});

describe("masks of two sides", () => {
  const stroke = (x: number, value: number): PendingStroke => ({
    key: `${x}`,
    item: "a",
    tab: "t",
    number: x,
    base: 1,
    box: { x, y: 0, width: 1, height: 1 },
    runs: [value, 1],
    tool: "brush",
  });

  it("strokes are applied in order", () => {
    const labels = Uint8Array.of(0, 0, 5);
    expect([...withStrokes(labels, 3, [stroke(0, 1), stroke(1, 2), stroke(0, 3)])]).toEqual([3, 2, 5]);
    expect([...labels]).toEqual([0, 0, 5]);
  });

  it("other labels of the server are not taken for saved strokes", () => {
    const base = Uint8Array.of(0, 0, 0);
    expect(alreadySaved(base, Uint8Array.of(1, 2, 0), 3, [stroke(0, 1), stroke(1, 2), stroke(2, 3)])).toBe(2);
    expect(alreadySaved(base, Uint8Array.of(1, 2, 9), 3, [stroke(0, 1), stroke(1, 2)])).toBe(-1);
    expect(alreadySaved(base, base, 3, [stroke(0, 1)])).toBe(-1);
  });

  it("the change of one side is kept, a dispute goes to mine and is counted", () => {
    const base = Uint8Array.of(0, 0, 0, 1, 1, 0);
    const mine = Uint8Array.of(1, 0, 0, 1, 0, 2);
    const theirs = Uint8Array.of(0, 2, 0, 1, 0, 3);
    const merged = merge(base, mine, theirs);
    expect([[...merged.labels], merged.disputed]).toEqual([[1, 2, 0, 1, 0, 2], 1]);
  });
});
