import { whole } from "./core/geometry";
import type { Desk } from "./desk";
import * as api from "./net/api";
import type { QueuePanel } from "./panels/queue";
import type { VerdictPanel } from "./panels/verdict";
import type { ToolName } from "./state";
import { change, settings } from "./state";
import { nextPreset } from "./windows";

/** What actions act on. */
export interface Hands {
  desk: Desk;
  queue: () => QueuePanel;
  verdict: () => VerdictPanel;
  /** Open an image; null says that none is left. */
  open: (id: number | null) => void;
  toggleViews: () => void;
  help: () => void;
}

/** One row is one action: its keys, its place in the sheet, and what it does. */
export interface Action {
  name: string;
  group: "Tools" | "View" | "Mask" | "Images" | "Verdict" | "Page";
  keys: readonly string[];
  run: (hands: Hands) => void;
}

const TOOL_ROWS: readonly (readonly [string, string, ToolName])[] = [
  ["B", "Brush", "brush"],
  ["E", "Eraser", "eraser"],
  ["P", "Polygon", "polygon"],
  ["W", "Live wire", "live-wire"],
  ["G", "Grow a region", "grow"],
  ["F", "Fill an enclosed area", "fill"],
  ["D", "Delete a component", "delete"],
  ["M", "Copy from the model", "copy"],
  ["T", "Predict in a box", "predict"],
  ["L", "Ruler", "ruler"],
  ["H", "Hand", "hand"],
];

const radius = (factor: number) => {
  const now = settings.value.radius;
  const next =
    factor > 1 ? Math.max(now + 1, Math.round(now * factor)) : Math.min(now - 1, Math.round(now * factor));
  change({ radius: Math.max(1, Math.min(200, next)) });
};

const opacity = (step: number) =>
  change({ opacity: Math.max(0, Math.min(1, Math.round((settings.value.opacity + step) * 100) / 100)) });

async function skip(hands: Hands): Promise<void> {
  const open = hands.desk.open.value;
  const next = await hands.desk.waiting("next", api.next(settings.value.order, open?.item.id ?? null));
  if (next) hands.open(next.id);
}

/** Show the next lesion (or the one before): in the order of the server's list, from the one nearest to the middle. */
function lesion({ desk }: Hands, step: 1 | -1): void {
  const open = desk.open.value;
  const list = desk.components.value;
  if (!open || list.length === 0) {
    desk.say("No lesion is marked.");
    return;
  }
  const { center } = open.pane.view;
  const distances = list.map(({ centre: [x, y] }) => Math.hypot(x - center.x, y - center.y));
  const nearest = distances.indexOf(Math.min(...distances));
  const { box } = list[nearest];
  const here =
    Math.abs(box.x + box.width / 2 - center.x) < 1 && Math.abs(box.y + box.height / 2 - center.y) < 1;
  const at = here ? (nearest + step + list.length) % list.length : nearest;
  open.pane.centerOn(list[at].box);
  desk.say(`Lesion ${at + 1} of ${list.length}`);
}

async function smooth({ desk }: Hands): Promise<void> {
  const open = desk.open.value;
  if (!open) return;
  const { editor } = open;
  if (!(await desk.saved())) return;
  const { label } = settings.value;
  const patch = await desk.waiting("smooth", api.smooth(open.item.id, open.pane.part, label, 3));
  if (patch && !editor.paste(patch, "smooth")) desk.say("Nothing to smooth in sight.");
}

async function fillHoles({ desk }: Hands): Promise<void> {
  const open = desk.open.value;
  if (!open) return;
  if (!(await desk.saved())) return;
  const patch = await desk.waiting("fill holes", api.fillHoles(open.item.id, settings.value.label));
  if (patch && !open.editor.paste(patch, "fill holes")) desk.say("No hole in this class.");
}

async function takeDraft({ desk }: Hands): Promise<void> {
  const open = desk.open.value;
  if (!open) return;
  const draft = await desk.waiting("model's mask", api.draft(open.item.id));
  if (!draft) return;
  open.editor.map.paste(whole(open.item), draft.labels);
  if (!open.editor.commit("copy from model")) desk.say("This is the model's mask already.");
}

function clear({ desk }: Hands): void {
  const { item, editor } = desk.open.value ?? {};
  if (!item || !editor) return;
  editor.map.paste(whole(item), new Uint8Array(item.width * item.height));
  if (!editor.commit("clear")) desk.say("The mask is empty.");
}

const view = (act: (open: NonNullable<Desk["open"]["value"]>) => void) => (hands: Hands) => {
  if (hands.desk.open.value) act(hands.desk.open.value);
};

const PAN_PX = 80;
const NUDGE_PX = 8;

export const ACTIONS: readonly Action[] = [
  ...TOOL_ROWS.map(([key, name, tool]): Action => ({
    name,
    group: "Tools",
    keys: [key],
    run: () => change({ tool }),
  })),
  { name: "Smaller brush", group: "Tools", keys: ["["], run: () => radius(1 / 1.15) },
  { name: "Larger brush", group: "Tools", keys: ["]"], run: () => radius(1.15) },
  ...Array.from({ length: 9 }, (_, at): Action => ({
    name: `Class ${at + 1}`,
    group: "Tools",
    keys: [String(at + 1)],
    run: ({ desk }) => {
      if (desk.session.value.classes.some(({ index }) => index === at + 1)) change({ label: at + 1 });
    },
  })),
  { name: "Undo", group: "Mask", keys: ["Ctrl+Z"], run: view((open) => void open.editor.undo()) },
  {
    name: "Redo",
    group: "Mask",
    keys: ["Ctrl+Shift+Z", "Ctrl+Y"],
    run: view((open) => void open.editor.redo()),
  },
  { name: "Smooth the class in sight", group: "Mask", keys: ["Shift+S"], run: (hands) => void smooth(hands) },
  {
    name: "Fill holes of the class",
    group: "Mask",
    keys: ["Shift+F"],
    run: (hands) => void fillHoles(hands),
  },
  {
    name: "Take the model's whole mask",
    group: "Mask",
    keys: ["Shift+M"],
    run: (hands) => void takeDraft(hands),
  },
  { name: "Clear the mask", group: "Mask", keys: ["Shift+Delete"], run: clear },
  {
    name: "Mask on or off",
    group: "Mask",
    keys: ["V"],
    run: () => change({ maskShown: !settings.value.maskShown }),
  },
  {
    name: "Outlines on or off",
    group: "Mask",
    keys: ["O"],
    run: () => change({ outline: !settings.value.outline }),
  },
  { name: "Mask more transparent", group: "Mask", keys: [";"], run: () => opacity(-0.1) },
  { name: "Mask more opaque", group: "Mask", keys: ["'"], run: () => opacity(0.1) },
  {
    name: "Compare with the model's mask",
    group: "Mask",
    keys: ["Q"],
    run: ({ desk }) => void desk.compare(desk.comparing.value ? null : api.draft),
  },
  { name: "Close the outline", group: "Tools", keys: ["Enter"], run: view((open) => open.bench.finish()) },
  {
    name: "Take the last point back",
    group: "Tools",
    keys: ["Backspace"],
    run: view((open) => void open.bench.back()),
  },
  {
    name: "Give up what the tool does",
    group: "Tools",
    keys: ["Escape"],
    run: view((open) => void open.bench.cancel()),
  },
  { name: "Fit the image", group: "View", keys: ["0"], run: view((open) => open.pane.fit()) },
  {
    name: "One image pixel on one screen pixel",
    group: "View",
    keys: ["Z"],
    run: view((open) => open.pane.exact()),
  },
  { name: "Zoom in", group: "View", keys: ["+", "="], run: view((open) => open.pane.zoomBy(1.25)) },
  { name: "Zoom out", group: "View", keys: ["-"], run: view((open) => open.pane.zoomBy(0.8)) },
  { name: "Move left", group: "View", keys: ["ArrowLeft"], run: view((open) => open.pane.pan(PAN_PX, 0)) },
  { name: "Move right", group: "View", keys: ["ArrowRight"], run: view((open) => open.pane.pan(-PAN_PX, 0)) },
  { name: "Move up", group: "View", keys: ["ArrowUp"], run: view((open) => open.pane.pan(0, PAN_PX)) },
  { name: "Move down", group: "View", keys: ["ArrowDown"], run: view((open) => open.pane.pan(0, -PAN_PX)) },
  {
    name: "Pointer left",
    group: "Tools",
    keys: ["Shift+ArrowLeft"],
    run: view((open) => open.bench.nudge(-NUDGE_PX, 0)),
  },
  {
    name: "Pointer right",
    group: "Tools",
    keys: ["Shift+ArrowRight"],
    run: view((open) => open.bench.nudge(NUDGE_PX, 0)),
  },
  {
    name: "Pointer up",
    group: "Tools",
    keys: ["Shift+ArrowUp"],
    run: view((open) => open.bench.nudge(0, -NUDGE_PX)),
  },
  {
    name: "Pointer down",
    group: "Tools",
    keys: ["Shift+ArrowDown"],
    run: view((open) => open.bench.nudge(0, NUDGE_PX)),
  },
  {
    name: "Press or lift the tool",
    group: "Tools",
    keys: ["Shift+Enter"],
    run: view((open) => open.bench.press()),
  },
  { name: "Invert", group: "View", keys: ["I"], run: () => change({ inverted: !settings.value.inverted }) },
  { name: "Next window", group: "View", keys: ["Shift+W"], run: view((open) => nextPreset(open.item)) },
  {
    name: "Magnifier",
    group: "View",
    keys: ["X"],
    run: () => change({ magnifier: !settings.value.magnifier }),
  },
  { name: "Four views", group: "View", keys: ["Y"], run: ({ toggleViews }) => toggleViews() },
  { name: "Next lesion", group: "Images", keys: ["."], run: (hands) => lesion(hands, 1) },
  { name: "Lesion before", group: "Images", keys: [","], run: (hands) => lesion(hands, -1) },
  { name: "Skip: next image to do", group: "Images", keys: ["S"], run: (hands) => void skip(hands) },
  {
    name: "Next image in the list",
    group: "Images",
    keys: ["J", "PageDown"],
    run: (hands) => step(hands, 1),
  },
  {
    name: "Image before in the list",
    group: "Images",
    keys: ["K", "PageUp"],
    run: (hands) => step(hands, -1),
  },
  { name: "Search", group: "Images", keys: ["/"], run: ({ queue }) => queue().focusSearch() },
  { name: "Accept", group: "Verdict", keys: ["A"], run: ({ verdict }) => verdict().choose("accept") },
  { name: "Corrected", group: "Verdict", keys: ["C"], run: ({ verdict }) => verdict().choose("correct") },
  { name: "Reject", group: "Verdict", keys: ["R"], run: ({ verdict }) => verdict().choose("reject") },
  { name: "No lesion", group: "Verdict", keys: ["N"], run: ({ verdict }) => verdict().choose("no_lesion") },
  { name: "Unsure", group: "Verdict", keys: ["U"], run: ({ verdict }) => verdict().choose("unsure") },
  ...Array.from({ length: 5 }, (_, at): Action => ({
    name: `Draft rated ${at + 1}`,
    group: "Verdict",
    keys: [`Shift+${at + 1}`],
    run: ({ verdict }) => verdict().rate(at + 1),
  })),
  { name: "Comment", group: "Verdict", keys: ["Shift+C"], run: ({ verdict }) => verdict().focusComment() },
  {
    name: "Sign and next",
    group: "Verdict",
    keys: ["Ctrl+Enter"],
    run: ({ verdict }) => void verdict().sign(),
  },
  { name: "Keys", group: "Page", keys: ["?"], run: ({ help }) => help() },
];

export function actionNamed(name: string): Action {
  const action = ACTIONS.find((each) => each.name === name);
  if (!action) throw new RangeError(`there is no action ${name}`);
  return action;
}

function step(hands: Hands, by: 1 | -1): void {
  const id = hands.queue().beside(by);
  if (id === null)
    hands.desk.say(by > 0 ? "This is the last image of the list." : "This is the first image of the list.");
  else hands.open(id);
}

/** The key that takes a tool in hand. */
export function keyOfTool(name: ToolName): string {
  return TOOL_ROWS.find(([, , tool]) => tool === name)![0];
}
