import "./style.css";
import { Desk } from "./desk";
import type { Keeper } from "./editor";
import { fill, h } from "./dom";
import type { Hands } from "./actions";
import { listenToKeys } from "./keys";
import * as api from "./net/api";
import { memoryStore, openStrokeStore, tabNames } from "./net/stroke_store";
import type { Session } from "./net/types";
import { header } from "./panels/header";
import { showHelp } from "./panels/help";
import { QueuePanel } from "./panels/queue";
import { readersPanel } from "./panels/readers";
import { statusLine } from "./panels/status";
import { toolsPanel } from "./panels/tools";
import { VerdictPanel } from "./panels/verdict";
import { versionsPanel } from "./panels/versions";
import { viewBar } from "./panels/view_bar";
import { loginPage } from "./pages/login";
import { accountsPage } from "./pages/accounts";
import { agreementPage } from "./pages/agreement";
import { exportPage } from "./pages/export";
import { resultsPage } from "./pages/results";
import { viewsPage } from "./pages/views";
import { keepNow, recall, settings } from "./state";

const root = document.getElementById("desk")!;

async function keeperOfStrokes(): Promise<Keeper> {
  const store = await openStrokeStore().catch(() => memoryStore());
  const { own, living } = await tabNames();
  return { store, tab: own, living };
}

async function start(): Promise<void> {
  let session: Session;
  try {
    session = await api.openSession();
  } catch (error) {
    fill(
      root,
      loginPage(error, () => void start()),
    );
    return;
  }
  const [keeper] = await Promise.all([keeperOfStrokes(), recall()]);
  build(session, keeper);
}

function build(session: Session, keeper: Keeper): void {
  document.title = `${session.project.name}, review desk`;
  const canvas = h("div", {
    class: "canvas",
    tabindex: 0,
    role: "application",
    "aria-label": "Image and mask. Arrow keys move the image; press question mark for all keys.",
  });
  const desk = new Desk(session, keeper, canvas);
  const go = (hash: string) => {
    location.hash = hash;
  };
  const open = (id: number | null) => {
    if (id === null) desk.say("No image is left to do.");
    else go(`#/image/${id}`);
  };
  const hands: Hands = {
    desk,
    queue: () => queue,
    verdict: () => verdict,
    open,
    toggleViews: () => {
      const id = desk.open.value?.item.id;
      if (id !== undefined) go(location.hash.startsWith("#/views") ? `#/image/${id}` : `#/views/${id}`);
    },
    help: showHelp,
  };
  const queue = new QueuePanel(desk, open, hands);
  const verdict = new VerdictPanel(desk, open);
  const review = h(
    "main",
    { class: "review" },
    queue.element,
    h("section", { class: "middle", "aria-label": "Image" }, viewBar(desk, hands), canvas, statusLine(desk)),
    h(
      "aside",
      { class: "right", "aria-label": "Tools and verdict" },
      toolsPanel(desk, hands),
      verdict.element,
      readersPanel(desk),
      versionsPanel(desk),
    ),
  );
  const other = h("div", { class: "other" });
  fill(root, header(desk, hands), review, other);
  listenToKeys(hands);

  let leave: () => void = () => undefined;
  const follow = async () => {
    const [page = "", id = ""] = location.hash.replace(/^#\//, "").split("/");
    leave();
    leave = () => undefined;
    fill(other);
    root.dataset["page"] = page === "" ? "image" : page;
    const number = Number(id);
    if (page === "views" && Number.isInteger(number)) leave = await viewsPage(other, desk, number, open);
    else if (page === "results") await resultsPage(other);
    else if (page === "agreement") await agreementPage(other);
    else if (page === "export") exportPage(other, desk);
    else if (page === "accounts") await accountsPage(other);
    else if (page === "image" && id !== "" && Number.isInteger(number)) {
      if (desk.open.value?.item.id !== number) await desk.show(number);
    } else {
      const next = await desk.waiting("next", api.next(settings.value.order, null));
      if (next?.id === null) await listed;
      const first = next?.id ?? queue.beside(1);
      if (first !== null) location.replace(`#/image/${first}`);
    }
  };
  window.addEventListener("hashchange", () => void follow());
  window.addEventListener("pagehide", keepNow);
  // The queue is listed while the image is on its way.
  const listed = queue.reload();
  void follow();
}

void start();
