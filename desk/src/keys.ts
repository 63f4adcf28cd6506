import type { Hands } from "./actions";
import { ACTIONS } from "./actions";
import { settings } from "./state";

/** The name of a key press as the table writes it. Digits and letters are those of the key, whatever Shift makes of them. */
export function nameOfPress(
  event: Pick<KeyboardEvent, "key" | "code" | "shiftKey" | "ctrlKey" | "metaKey">,
): string {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
  const letter = /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() : undefined;
  const named = event.key.length > 1 ? event.key : undefined;
  const base = (event.shiftKey ? digit : undefined) ?? letter ?? named ?? event.key;
  // A sign such as "?" needs Shift on many keyboards: it counts as itself.
  const shift = event.shiftKey && (digit !== undefined || letter !== undefined || named !== undefined);
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${shift ? "Shift+" : ""}${base}`;
}

/** Let the keys of the table act, unless a field is being filled in or a dialog is open. */
export function listenToKeys(hands: Hands): void {
  const byKey = new Map(ACTIONS.flatMap((action) => action.keys.map((key) => [key, action] as const)));
  window.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    const target = event.target as HTMLElement;
    const name = nameOfPress(event);
    if (isTyping(target)) {
      if (event.key === "Escape") target.blur();
      if (name !== "Ctrl+Enter") return;
    }
    if (onControl(target, event.key)) return;
    if (event.key === " " && target.closest(".canvas, body") && !target.closest("button, summary, a")) {
      hands.desk.open.value?.bench.holdSpace(true);
      event.preventDefault();
      return;
    }
    if (!settings.value.letterKeys && name.length === 1 && name !== "?") return;
    const action = byKey.get(name);
    if (!action || (hands.desk.open.value === null && !["Page", "Images"].includes(action.group))) return;
    event.preventDefault();
    action.run(hands);
  });
  window.addEventListener("keyup", (event) => {
    if (event.key === " ") hands.desk.open.value?.bench.holdSpace(false);
  });
}

function isTyping(target: HTMLElement): boolean {
  if (target instanceof HTMLInputElement)
    return !["range", "checkbox", "radio", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Keys that belong to the control that has the focus: a slider's arrows, a button's Enter. */
function onControl(target: HTMLElement, key: string): boolean {
  if (target instanceof HTMLInputElement) return key.startsWith("Arrow") || key.startsWith("Page");
  return target.closest("button, summary, a") !== null && (key === "Enter" || key === " ");
}
