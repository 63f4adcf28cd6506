import { expect, it } from "vitest";
import { ACTIONS } from "../src/actions";

const GROUPS = ["Tools", "View", "Mask", "Images", "Verdict", "Page"] as const;

/** The table of keys as a page. Written anew by `npx vitest run --update`. */
function page(): string {
  const parts = GROUPS.map((group) => {
    const rows = ACTIONS.filter((action) => action.group === group).map(
      ({ name, keys }) => `| ${keys.map((key) => `\`${key}\``).join(" or ")} | ${name} |`,
    );
    return `## ${group}\n\n| key | action |\n|---|---|\n${rows.join("\n")}\n`;
  });
  return (
    "# Keys of the review desk\n\n" +
    "This page is made from the table in `desk/src/actions.ts` (`npx vitest run --update` in `desk/`). In the review desk, `?` shows " +
    "the same.\nOn a Mac, the command key does what Ctrl does. See [review](review.md).\n\n" +
    parts.join("\n")
  );
}

it("the page of keys is the table of actions", async () => {
  await expect(page()).toMatchFileSnapshot("../../docs/review-keys.md");
});
