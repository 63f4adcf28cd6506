import { merge } from "./core/merge";
import { alreadySaved } from "./core/strokes";
import { ask, h } from "./dom";
import type { Editor } from "./editor";
import * as api from "./net/api";

type Choice = "theirs" | "mine" | "merge" | "";

/**
 * Settle a conflict: the server's mask is newer than the one that was drawn on.
 *
 * Where the newer mask is no other than our own strokes, whose answer was lost, nobody is asked. Escape leaves the
 * conflict open: strokes stay in the browser's store.
 */
export async function settle(editor: Editor, reader: string, at: string): Promise<void> {
  const { item, queue } = editor;
  const [base, newest] = await Promise.all([api.mask(item.id, queue.version), api.mask(item.id)]);
  const count = alreadySaved(base.labels, newest.labels, item.width, queue.strokes);
  if (count > 0) {
    await queue.acknowledge(count, newest.version);
    return;
  }
  const mine = editor.map.labels.slice();
  const merged = merge(base.labels, mine, newest.labels);
  const choice = await choose(reader, at, merged.disputed, queue.strokes.length);
  if (choice === "") return;
  editor.load(newest.labels);
  const tool = choice === "merge" ? "merge" : choice === "mine" ? "keep mine" : "set aside";
  const edit = editor.map.replace(choice === "merge" ? merged.labels : mine, tool);
  const back = choice === "theirs" && edit ? editor.map.undo() : null;
  editor.painter.changedEverywhere();
  await queue.resolve(newest.version, edit && { box: edit.box, runs: edit.after, tool: edit.tool });
  // What was drawn here is a version of its own before theirs is the newest again: it can be brought back.
  if (back) await queue.add(back.box, back.after, "fetch theirs");
}

async function choose(reader: string, at: string, disputed: number, strokes: number): Promise<Choice> {
  const who = reader || "another window";
  const when = at ? ` at ${new Date(at).toLocaleTimeString()}` : "";
  const both =
    disputed === 0
      ? "No pixel was changed in two ways."
      : `${disputed} pixels were changed in two ways; yours stay there.`;
  const choice = await ask(
    "This mask was changed elsewhere",
    [
      h("p", {
        text: `${who} saved a newer version${when}. You have ${strokes} unsaved ${strokes === 1 ? "stroke" : "strokes"}.`,
      }),
      h("p", { text: `Merge takes the changes of both sides. ${both}` }),
      h("p", {
        class: "quiet",
        text: "Whatever you choose, the list of versions then has theirs and yours.",
      }),
    ],
    [
      { text: "Merge both", value: "merge", main: true },
      { text: "Keep mine", value: "mine" },
      { text: "Fetch theirs", value: "theirs" },
    ],
  );
  return choice as Choice;
}
