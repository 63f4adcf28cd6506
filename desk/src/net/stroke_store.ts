import type { PendingStroke, StrokeStore } from "../core/strokes";

const DATABASE = "flexunet-desk";
const STROKES = "strokes";

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's store refused"));
  });
}

/** Pending strokes in IndexedDB: they are there again after a reload, a crash or a closed tab. */
export async function openStrokeStore(factory: IDBFactory = indexedDB): Promise<StrokeStore> {
  const request = factory.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(STROKES, { keyPath: "key" });
  };
  const database = await settled(request);
  const table = (mode: IDBTransactionMode) => database.transaction(STROKES, mode).objectStore(STROKES);
  return {
    put: async (stroke) => {
      await settled(table("readwrite").put(stroke));
    },
    remove: async (key) => {
      await settled(table("readwrite").delete(key));
    },
    all: () => settled(table("readonly").getAll() as IDBRequest<PendingStroke[]>),
  };
}

/** A store for browsers without IndexedDB (private windows of some): strokes live as long as the page. */
export function memoryStore(): StrokeStore {
  const strokes = new Map<string, PendingStroke>();
  return {
    put: (stroke) => {
      strokes.set(stroke.key, stroke);
      return Promise.resolve();
    },
    remove: (key) => {
      strokes.delete(key);
      return Promise.resolve();
    },
    all: () => Promise.resolve([...strokes.values()]),
  };
}

/**
 * This tab's name, kept over a reload, and the names of all tabs that are open now.
 *
 * A tab holds a lock with its name while it lives. A duplicated tab copies the name, finds the lock taken and takes
 * another name, so that it does not send the strokes of the first a second time.
 */
export async function tabNames(): Promise<{ own: string; living: () => Promise<Set<string>> }> {
  const kept = sessionStorage.getItem("desk-tab");
  const own = kept && (await hold(kept)) ? kept : crypto.randomUUID();
  if (own !== kept) await hold(own);
  sessionStorage.setItem("desk-tab", own);
  const living = async () => {
    const locks = await navigator.locks.query();
    return new Set((locks.held ?? []).map((lock) => (lock.name ?? "").replace(/^desk-tab-/, "")));
  };
  return { own, living };
}

function hold(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    void navigator.locks.request(`desk-tab-${name}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      // The lock is held as long as this promise is open: until the tab goes.
      return lock === null ? undefined : new Promise(() => undefined);
    });
  });
}
