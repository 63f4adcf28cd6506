import type { Desk } from "../desk";
import { field, fill, freshId, h, select, swatch } from "../dom";
import type { Component, LesionVerdict, Verdict, VerdictName } from "../net/types";
import { nameOf } from "../state";

const VERDICTS: readonly (readonly [VerdictName, string, string])[] = [
  ["accept", "Accept", "A"],
  ["correct", "Corrected", "C"],
  ["reject", "Reject", "R"],
  ["no_lesion", "No lesion", "N"],
  ["unsure", "Unsure", "U"],
];
const LIKERT = ["1 poor", "2", "3", "4", "5 excellent"];
const LESION_CHOICES = [
  ["", "no verdict"],
  ["accept", "accept"],
  ["correct", "corrected"],
  ["reject", "reject"],
  ["unsure", "unsure"],
] as const;

/** The verdict on an image and on its single lesions, and the signature. */
export class VerdictPanel {
  readonly element: HTMLElement;
  private verdict: VerdictName | null = null;
  private likert: number | null = null;
  private lesions = new Map<Component["id"], LesionVerdict>();
  private readonly verdicts = h("div", { class: "verdicts", role: "group", "aria-label": "Verdict" });
  private readonly scale = h("div", {
    class: "likert",
    role: "group",
    "aria-label": "Quality of the draft, 1 to 5",
  });
  private readonly comment = h("textarea", { rows: 2, maxlength: 10_000 });
  private readonly list = h("ol", { class: "lesions", "aria-label": "Lesions" });
  private readonly earlier = h("p", { class: "quiet" });
  private readonly signButton: HTMLButtonElement;

  constructor(
    private readonly desk: Desk,
    private readonly signed: (next: number | null) => void,
  ) {
    this.signButton = h("button", {
      class: "main wide",
      text: "Sign and next",
      title: "Sign (Ctrl+Enter)",
      onclick: () => void this.sign(),
    });
    const heading = h("h2", { text: "Verdict", id: freshId("verdict") });
    const head = h("h2", { text: "Lesions", id: freshId("lesions") });
    this.element = h(
      "div",
      {},
      h(
        "section",
        { "aria-labelledby": heading.id },
        heading,
        this.verdicts,
        h("div", { class: "quality" }, h("span", { class: "quiet", text: "Draft" }), this.scale),
        field("Comment", this.comment),
        this.signButton,
        this.earlier,
      ),
      h("section", { "aria-labelledby": head.id }, head, this.list),
    );
    desk.open.follow((open) => this.begin(open?.item.verdict ?? null));
    desk.components.follow((components) => this.showLesions(components));
  }

  private begin(given: (Verdict & { reader?: string; at?: string }) | null): void {
    this.verdict = given?.verdict ?? null;
    this.likert = given?.likert ?? null;
    this.comment.value = given?.comment ?? "";
    this.lesions = new Map((given?.lesions ?? []).map((lesion) => [lesion.component, lesion]));
    const at = given?.at ? new Date(given.at).toLocaleString() : "";
    this.earlier.textContent = given
      ? `Signed by ${given.reader ?? ""} ${at}. Signing again adds a decision.`
      : "";
    this.draw();
  }

  choose(verdict: VerdictName): void {
    this.verdict = verdict;
    this.draw();
    this.desk.say(`${VERDICTS.find(([name]) => name === verdict)![1]}. Ctrl+Enter signs.`);
  }

  rate(likert: number): void {
    this.likert = this.likert === likert ? null : likert;
    this.draw();
  }

  focusComment(): void {
    this.comment.focus();
  }

  private draw(): void {
    const radio = (text: string, key: string, chosen: boolean, act: () => void) =>
      h(
        "button",
        { "aria-pressed": String(chosen), "data-focus": text, onclick: act },
        h("span", { text }),
        key !== "" && h("kbd", { text: key, "aria-hidden": "true" }),
      );
    this.keepingFocus(this.verdicts, () =>
      fill(
        this.verdicts,
        ...VERDICTS.map(([name, text, key]) =>
          radio(text, key, name === this.verdict, () => this.choose(name)),
        ),
      ),
    );
    this.keepingFocus(this.scale, () =>
      fill(
        this.scale,
        ...LIKERT.map((text, at) => radio(text, "", this.likert === at + 1, () => this.rate(at + 1))),
      ),
    );
    for (const [at, button] of [...this.scale.children].entries()) {
      button.setAttribute("aria-label", LIKERT[at]);
      button.textContent = String(at + 1);
    }
    this.signButton.disabled = this.verdict === null || this.desk.open.value === null;
  }

  private keepingFocus(group: HTMLElement, draw: () => void): void {
    const focused = group.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).dataset["focus"]
      : undefined;
    draw();
    if (focused) group.querySelector<HTMLElement>(`[data-focus="${focused}"]`)?.focus();
  }

  private showLesions(components: readonly Component[]): void {
    const open = this.desk.open.value;
    if (!open || components.length === 0) {
      fill(this.list, h("li", { class: "empty", text: "No lesion is marked." }));
      return;
    }
    fill(this.list, ...components.map((component, at) => this.lesionRow(component, at)));
  }

  private lesionRow(component: Component, at: number): HTMLElement {
    const { item, pane, editor } = this.desk.open.value!;
    const { classes } = this.desk.session.value;
    const { id, label, area_px, box } = component;
    const spacing = item.spacing_mm;
    const area = spacing ? `${(area_px * spacing[0] * spacing[1]).toFixed(1)} mm²` : `${area_px} px`;
    const name = `${at + 1} ${nameOf(classes, label)}`;
    const given = this.lesions.get(id);
    const keep = (changes: Partial<LesionVerdict>) => {
      const before = this.lesions.get(id) ?? { component: id, verdict: "", comment: "" };
      this.lesions.set(id, { ...before, ...changes });
    };
    const comment = h("input", {
      type: "text",
      "aria-label": `Comment on lesion ${at + 1}`,
      placeholder: "Comment",
      value: given?.comment ?? "",
      oninput: () => keep({ comment: comment.value }),
    });
    return h(
      "li",
      {},
      h(
        "button",
        { class: "go", title: "Show this lesion", onclick: () => pane.centerOn(box) },
        swatch(editor.classes.find((each) => each.index === label)?.colour ?? "#ffffff"),
        h("span", { text: name }),
        h("span", { class: "quiet", text: area }),
      ),
      select(
        LESION_CHOICES,
        given?.verdict ?? "",
        (verdict) => keep({ verdict }),
        `Verdict on lesion ${at + 1}`,
      ),
      comment,
    );
  }

  async sign(): Promise<void> {
    if (!this.verdict || this.signButton.disabled) {
      if (this.desk.open.value) this.desk.say("Choose a verdict first: A, C, R, N or U.");
      return;
    }
    this.signButton.disabled = true;
    const known = new Set(this.desk.components.value.map(({ id }) => id));
    const lesions = [...this.lesions.values()].filter(
      ({ component, verdict, comment }) => known.has(component) && (verdict !== "" || comment !== ""),
    );
    const { verdict, likert } = this;
    const next = await this.desk.sign({ verdict, likert, comment: this.comment.value, lesions });
    this.signButton.disabled = false;
    if (next !== undefined) this.signed(next);
  }
}
