import { fill, h } from "../dom";
import * as api from "../net/api";
import { number, part, table } from "./table";

interface Kappas {
  verdict: number | null;
  lesion: number | null;
}

interface Likeness {
  images: number;
  dice_mean: number | null;
  dice_median: number | null;
}

/** What the server counts; see its OpenAPI page. */
export interface Agreement {
  readers: {
    reader: string;
    images: number;
    verdicts: Record<string, number>;
    median_seconds: number;
    mean_likert: number | null;
  }[];
  pairs: (Likeness & {
    readers: [string, string];
    sensitivity: Record<string, number | null>;
    kappa: Kappas;
  })[];
  kappa: Kappas & { readers: number; images: number };
  repeats: Record<string, Likeness & { same_verdict: number; kappa: Kappas }>;
  known: Record<
    string,
    Likeness & { lesions: number; found: number; further: number; sensitivity: number | null }
  >;
}

/** How far readers agree: with each other, with themselves, and with masks that are known to be right. */
export async function agreementPage(place: HTMLElement): Promise<void> {
  const page = h("main", { class: "page" }, h("h2", { text: "Agreement of readers" }));
  fill(place, page);
  try {
    page.append(...parts(await api.agreement()));
  } catch (error) {
    page.append(h("p", { role: "alert", text: error instanceof Error ? error.message : String(error) }));
  }
}

function parts(told: Agreement): HTMLElement[] {
  return [
    h("p", {
      class: "quiet",
      text: "The last decision of each reader on an image counts, with the mask that it was about.",
    }),
    part("Readers", readers(told), "Nobody has decided on an image yet."),
    part("Two readers on one image", pairs(told), "No image was decided on by two readers."),
    part("All readers", all(told), "Fleiss' kappa needs images that two readers or more have decided on."),
    part("One reader twice", repeats(told), "No hidden repeat was decided on."),
    part("Against known masks", known(told), "No image with a known mask was decided on."),
  ];
}

function readers({ readers }: Agreement): HTMLElement | null {
  if (readers.length === 0) return null;
  return table(
    "Readers",
    ["reader", "images", "verdicts", "median seconds", "mean rating"],
    readers.map((each) => [
      each.reader,
      number(each.images),
      Object.entries(each.verdicts)
        .map(([verdict, count]) => `${verdict.replace("_", " ")} ${count}`)
        .join(", "),
      number(each.median_seconds),
      number(each.mean_likert),
    ]),
  );
}

function pairs({ pairs }: Agreement): HTMLElement | null {
  const shared = pairs.filter(({ images }) => images > 0);
  if (shared.length === 0) return null;
  return table(
    "Pairs of readers",
    [
      "readers",
      "images",
      "Dice, mean",
      "Dice, median",
      "lesions found",
      "Cohen's kappa, verdict",
      "Cohen's kappa, lesion or none",
    ],
    shared.map(({ readers: [first, second], images, dice_mean, dice_median, sensitivity, kappa }) => [
      `${first}, ${second}`,
      number(images),
      number(dice_mean),
      number(dice_median),
      `${second} of ${first}'s: ${number(sensitivity[second])}; ${first} of ${second}'s: ${number(sensitivity[first])}`,
      number(kappa.verdict),
      number(kappa.lesion),
    ]),
  );
}

function all({ kappa }: Agreement): HTMLElement | null {
  if (kappa.readers < 2 || kappa.images === 0) return null;
  return table(
    "All readers",
    ["readers", "images", "Fleiss' kappa, verdict", "Fleiss' kappa, lesion or none"],
    [[number(kappa.readers), number(kappa.images), number(kappa.verdict), number(kappa.lesion)]],
  );
}

function repeats({ repeats }: Agreement): HTMLElement | null {
  const rows = Object.entries(repeats).filter(([, { images }]) => images > 0);
  if (rows.length === 0) return null;
  return table(
    "Hidden repeats",
    ["reader", "images", "Dice, mean", "same verdict", "Cohen's kappa, verdict"],
    rows.map(([reader, each]) => [
      reader,
      number(each.images),
      number(each.dice_mean),
      number(each.same_verdict),
      number(each.kappa.verdict),
    ]),
  );
}

function known({ known }: Agreement): HTMLElement | null {
  const rows = Object.entries(known).filter(([, { images }]) => images > 0);
  if (rows.length === 0) return null;
  return table(
    "Known masks",
    ["reader", "images", "Dice, mean", "lesions found", "sensitivity", "marked besides"],
    rows.map(([reader, each]) => [
      reader,
      number(each.images),
      number(each.dice_mean),
      `${each.found} of ${each.lesions}`,
      number(each.sensitivity),
      number(each.further),
    ]),
  );
}
