import { field, fill, h, select } from "../dom";
import * as api from "../net/api";
import { curveCharts } from "./curves";
import { number, part, table } from "./table";

export interface Run {
  root: string;
  path: string;
  name: string;
  epochs: number | null;
  best_epoch: number | null;
  dice_per_image_mean: number | null;
}

export interface Report {
  root: string;
  path: string;
  kind: string;
  changed: number;
}

/** What the server finds in its folders of results. */
export interface Results {
  runs: Run[];
  reports: Report[];
  predictions: { root: string; path: string }[];
}

export interface Comparison {
  first: string;
  second: string;
  images: number;
  patients: number;
  sentence: string;
  scores: {
    name: string;
    first: number | null;
    second: number | null;
    difference: { value: number | null; low: number | null; high: number | null };
    p_value: number | null;
    higher_is_better: boolean;
  }[];
}

/** Runs, their curves and scores, comparisons, reports, and predicted images by doubt. */
export async function resultsPage(place: HTMLElement): Promise<void> {
  const page = h("main", { class: "page" }, h("h2", { text: "Results" }));
  fill(place, page);
  const detail = h("div", { role: "region", "aria-label": "Details", tabindex: -1 });
  /** Show what an answer holds below the lists, or the error in its place. */
  const show = async (heading: string, work: Promise<HTMLElement>) => {
    fill(detail, part(heading, h("p", { text: "Reading …" })));
    try {
      fill(detail, part(heading, await work));
    } catch (error) {
      fill(detail, part(heading, null, message(error)));
    }
    detail.scrollIntoView({ block: "start" });
    detail.focus({ preventScroll: true });
  };
  try {
    const results = await api.results();
    page.append(
      part(
        "Runs",
        results.runs.length > 0 ? runsTable(results.runs, show) : null,
        "No run lies in the folders of results (--results).",
      ),
      ...comparing(results.runs, show),
      part(
        "Predicted images by doubt",
        results.predictions.length > 0 ? predictionsList(results, show) : null,
        "No table of predicted images.",
      ),
      part(
        "Reports, galleries and audits",
        results.reports.length > 0 ? reportsTable(results.reports) : null,
      ),
      detail,
    );
  } catch (error) {
    page.append(h("p", { role: "alert", text: message(error) }));
  }
}

type Show = (heading: string, work: Promise<HTMLElement>) => Promise<void>;

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function runsTable(runs: readonly Run[], show: Show): HTMLElement {
  const rows = runs.map((run) => [
    run.path === "." ? run.name : run.path,
    number(run.epochs),
    number(run.best_epoch),
    number(run.dice_per_image_mean),
    h(
      "span",
      { class: "group" },
      h("button", {
        text: "Curves",
        "aria-label": `Curves of ${run.path}`,
        onclick: () => void show(`Curves of ${run.path}`, curves(run)),
      }),
      h("button", {
        text: "Scores",
        "aria-label": `Scores of ${run.path}`,
        onclick: () => void show(`Scores of ${run.path}`, scores(run)),
      }),
    ),
  ]);
  return table("Runs", ["run", "epochs", "best epoch", "Dice per image, mean", "show"], rows);
}

async function curves({ root, path }: Run): Promise<HTMLElement> {
  return curveCharts((await api.curves(root, path)).curves);
}

/** A number of scores.json with its interval, wherever it stands in it. */
interface Score {
  value: number | null;
  low?: number | null;
  high?: number | null;
  images?: number;
}

async function scores({ root, path }: Run): Promise<HTMLElement> {
  const told = await api.scores(root, path);
  const rows: string[][] = [];
  for (const [group, parts] of Object.entries(told)) {
    if (typeof parts !== "object" || parts === null) continue;
    for (const [name, score] of Object.entries(parts as Record<string, unknown>)) {
      if (isScore(score))
        rows.push([`${group}: ${name}`, number(score.value), interval(score), number(score.images)]);
    }
  }
  return table("Scores", ["score", "value", "interval", "images"], rows);
}

function isScore(value: unknown): value is Score {
  return typeof value === "object" && value !== null && "value" in value;
}

function interval({ low, high }: { low?: number | null; high?: number | null }): string {
  return typeof low === "number" && typeof high === "number"
    ? `${number(low)} to ${number(high)}`
    : "not known";
}

/** A p value: a small one is told as smaller than 0.001, not as zero. */
function pValue(p: number | null): string {
  return p !== null && p < 0.001 ? "< 0.001" : number(p);
}

function comparing(runs: readonly Run[], show: Show): HTMLElement[] {
  const root = runs[0]?.root;
  const names = runs.filter((run) => run.root === root).map(({ path }) => [path, path] as const);
  if (root === undefined || names.length < 2) return [];
  const first = select(names, names[0][0], () => undefined);
  const second = select(names, names[1][0], () => undefined);
  const act = () =>
    void show(`${second.value} less ${first.value}`, compared(root, first.value, second.value));
  return [
    part(
      "Compare two runs",
      h(
        "div",
        { class: "compare" },
        field("First", first),
        field("Second", second),
        h("button", { text: "Compare runs", onclick: act }),
      ),
    ),
  ];
}

async function compared(root: string, first: string, second: string): Promise<HTMLElement> {
  const told = await api.compareRuns(root, first, second);
  const rows = told.scores.map((score) => [
    score.name,
    number(score.first),
    number(score.second),
    number(score.difference.value),
    interval(score.difference),
    pValue(score.p_value),
    score.higher_is_better ? "higher" : "lower",
  ]);
  return h(
    "div",
    {},
    h("p", { text: told.sentence }),
    h("p", { class: "quiet", text: `${told.images} images, ${told.patients} patients or sources` }),
    table("Comparison", ["score", "first", "second", "difference", "interval", "p", "better is"], rows),
  );
}

function predictionsList({ predictions }: Results, show: Show): HTMLElement {
  const rows = predictions.map(({ root, path }) =>
    h(
      "li",
      {},
      h("button", {
        text: path,
        onclick: () => void show(`${path}, the least certain first`, predicted(root, path)),
      }),
    ),
  );
  return h("ul", { class: "plain" }, ...rows);
}

async function predicted(root: string, path: string): Promise<HTMLElement> {
  const { images } = await api.predictions(root, path);
  const columns = Object.keys(images[0] ?? { file: "" });
  const rows = images.map((image) => columns.map((column) => image[column] ?? ""));
  return table("Predicted images", columns, rows);
}

function reportsTable(reports: readonly Report[]): HTMLElement {
  const rows = [...reports]
    .sort((first, second) => second.changed - first.changed)
    .map(({ root, path, kind, changed }) => {
      const address = [root, ...path.split("/")].map(encodeURIComponent).join("/");
      const link = h("a", {
        href: `/api/results/files/${address}`,
        target: "_blank",
        rel: "noopener",
        text: path,
      });
      return [link, kind, new Date(changed * 1000).toLocaleString()];
    });
  return table("Reports", ["page", "what it is", "written"], rows);
}
