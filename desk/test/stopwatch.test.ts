import { expect, it } from "vitest";
import { Stopwatch } from "../src/stopwatch";

it("time without input for more than a minute counts as a minute", () => {
  let now = 0;
  const page = new EventTarget();
  const clock = new Stopwatch(() => now, page);
  now = 10_000;
  expect(clock.seconds).toBe(10);
  page.dispatchEvent(new Event("keydown"));
  now += 3_600_000;
  expect(clock.seconds).toBe(70);
  page.dispatchEvent(new Event("wheel"));
  now += 2_500;
  expect(clock.seconds).toBe(72.5);
  clock.end();
  now += 5_000;
  page.dispatchEvent(new Event("keydown"));
  now += 60_000;
  expect(clock.seconds).toBe(130);
});
