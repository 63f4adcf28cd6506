import type { Point } from "../core/geometry";
import { grow as widen } from "../core/geometry";
import { decodeRuns } from "../core/runs";
import { connected, reachesBorder, stencil } from "../core/shapes";
import * as api from "../net/api";
import { nameOf, settings } from "../state";
import type { Bench, Place, Tool } from "./tool";

const GROW_REACH_PX = { least: 48, most: 256 };

/** Tools that work where one clicks: fill, delete a component, copy a lesion of the draft, grow a region. */
export class PointTool implements Tool {
  constructor(private readonly act: (x: number, y: number) => void) {}

  down(at: Place): void {
    this.act(Math.floor(at.image.x), Math.floor(at.image.y));
  }

  cancel(): boolean {
    return false;
  }

  end(): void {
    /* Nothing is kept. */
  }
}

function pointTool(bench: Bench, act: (x: number, y: number) => void): PointTool {
  const { width, height } = bench.editor.item;
  return new PointTool((x, y) => {
    if (x >= 0 && y >= 0 && x < width && y < height) act(x, y);
  });
}

/** Fill the area under the pointer, which must be enclosed: a click beside an open outline would fill the image. */
export function fillTool(bench: Bench): Tool {
  return pointTool(bench, (x, y) => {
    const { editor } = bench;
    const area = connected(editor.map.labels, editor.item, x, y, 4);
    if (reachesBorder(area, editor.item))
      bench.say("Not filled: the area is not closed, it reaches the border of the image.");
    else editor.stamp(area, settings.value.label, "fill");
  });
}

export function deleteTool(bench: Bench): Tool {
  return pointTool(bench, (x, y) => deleteComponent(bench, { x, y }));
}

/** Delete the component at a place. */
export function deleteComponent(bench: Bench, { x, y }: Point): void {
  const { editor } = bench;
  const label = editor.map.at(x, y);
  if (label === 0) bench.say("There is nothing to delete here.");
  else if (editor.map.isLocked(label)) bench.say(`${nameOf(editor.classes, label)} is locked.`);
  else editor.stamp(connected(editor.map.labels, editor.item, x, y, 8), 0, "delete component");
}

/** Copy the lesion under the pointer from the mask that the model proposed. */
export function copyTool(bench: Bench): Tool {
  return pointTool(bench, (x, y) => {
    void (async () => {
      const draft = await bench.waiting("draft", api.draft(bench.editor.item.id));
      if (!draft) return;
      const { item } = bench.editor;
      const label = draft.labels[y * item.width + x];
      if (label === 0) bench.say("The model proposes nothing here.");
      else bench.editor.stamp(connected(draft.labels, item, x, y, 8), label, "copy from model");
    })();
  });
}

/** Grow a region from a click, by the server's random walker in a box around it. */
export function growTool(bench: Bench): Tool {
  return pointTool(bench, (x, y) => {
    void (async () => {
      const { editor } = bench;
      const reach = Math.max(
        GROW_REACH_PX.least,
        Math.min(GROW_REACH_PX.most, Math.round(settings.value.radius * 6)),
      );
      const box = widen({ x, y, width: 1, height: 1 }, reach, editor.item);
      const patch = await bench.waiting("grow", api.growRegion(editor.item.id, x, y, box));
      if (!patch?.box) return;
      const part = decodeRuns(patch.runs, patch.box.width * patch.box.height);
      editor.stamp(stencil(patch.box, part, editor.item), settings.value.label, "grow");
    })();
  });
}
