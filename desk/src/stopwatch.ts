const IDLE_MS = 60_000;

/** Seconds of work on an image: time without any input for a minute, or in another tab, does not count. */
export class Stopwatch {
  private counted = 0;
  private last: number;
  private readonly stop = new AbortController();

  constructor(
    private readonly now: () => number = () => performance.now(),
    page: EventTarget = window,
  ) {
    this.last = this.now();
    for (const name of ["pointermove", "pointerdown", "keydown", "wheel"]) {
      page.addEventListener(name, () => this.tick(), { signal: this.stop.signal, passive: true });
    }
  }

  /** Something was done: the time since the last time counts, up to a minute. */
  tick(): void {
    const now = this.now();
    this.counted += Math.min(now - this.last, IDLE_MS);
    this.last = now;
  }

  /** Seconds so far, to a tenth. */
  get seconds(): number {
    const running = Math.min(this.now() - this.last, IDLE_MS);
    return Math.round((this.counted + running) / 100) / 10;
  }

  end(): void {
    this.stop.abort();
  }
}
