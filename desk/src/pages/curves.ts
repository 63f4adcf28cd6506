import { grouped, paths, scaleOf } from "../core/chart";
import type { Line } from "../core/chart";
import { h } from "../dom";
import { number } from "./table";

const WIDTH = 360;
const HEIGHT = 150;

/** A chart for each kind of curve; solid is training, dashed is validation. */
export function curveCharts(curves: Record<string, (number | null)[]>): HTMLElement {
  return h("div", { class: "charts" }, ...grouped(curves).map(([name, lines]) => chart(name, lines)));
}

function chart(name: string, lines: readonly Line[]): HTMLElement {
  const scale = scaleOf(lines);
  const epochs = Math.max(...lines.map(({ values }) => values.length));
  const words = scale ? `${number(scale.low)} to ${number(scale.high)}, ${epochs} epochs` : "no values";
  const svg = element("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "aria-label": `${name}: ${words}`,
  });
  for (const line of scale ? lines : []) {
    for (const points of paths(line, scale!, WIDTH, HEIGHT)) {
      const dashed = line.name.startsWith("val_") && lines.length > 1;
      svg.append(element("polyline", { points, class: dashed ? "validation" : "training" }));
    }
  }
  return h(
    "figure",
    {},
    h(
      "figcaption",
      {},
      h("span", { text: lines.map((line) => line.name).join(", ") }),
      h("span", { class: "quiet", text: words }),
    ),
    svg as unknown as HTMLElement,
  );
}

function element(tag: "svg" | "polyline", attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
