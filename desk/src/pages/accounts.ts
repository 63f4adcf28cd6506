import { ask, field, fill, h, select } from "../dom";
import * as api from "../net/api";
import { part, table } from "./table";

const ROLES = [
  ["reader", "reader"],
  ["reviewer", "reviewer"],
  ["admin", "admin"],
] as const;

/** For administrators: who may sign in, and who did what. */
export async function accountsPage(place: HTMLElement): Promise<void> {
  const told = h("p", { role: "status" });
  const page = h("main", { class: "page" }, h("h2", { text: "Accounts" }), told);
  fill(place, page);
  /** Do something and show the page as it is then; an error stays on it. */
  const act = async (work: Promise<unknown>) => {
    try {
      await work;
      await accountsPage(place);
    } catch (error) {
      told.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  try {
    const [accounts, events] = await Promise.all([api.accounts(), api.events()]);
    page.append(
      part(
        "Who may sign in",
        accounts.length > 0 ? accountsTable(accounts, act) : null,
        "There is no account.",
      ),
      part("New account, or a new password", accountForm(act)),
      part("Audit log", events.length > 0 ? eventsTable(events) : null),
    );
  } catch (error) {
    told.textContent = error instanceof Error ? error.message : String(error);
  }
}

type Act = (work: Promise<unknown>) => Promise<void>;

function accountsTable(accounts: readonly api.Account[], act: Act): HTMLElement {
  const disable = async (name: string) => {
    const body = [h("p", { text: "Its sessions end. What was decided under the name stays." })];
    const choices = [
      { text: "Disable", value: "yes", main: true },
      { text: "Keep", value: "" },
    ];
    if ((await ask(`Disable the account ${name}?`, body, choices)) === "yes")
      await act(api.disableAccount(name));
  };
  const rows = accounts.map(({ name, role, made, disabled }) => [
    name,
    role,
    new Date(made).toLocaleDateString(),
    disabled ? "disabled" : h("button", { text: `Disable ${name}`, onclick: () => void disable(name) }),
  ]);
  return table("Accounts", ["name", "role", "made", "state"], rows);
}

function accountForm(act: Act): HTMLElement {
  const name = h("input", { type: "text", required: true, maxlength: 64, autocomplete: "off" });
  const password = h("input", { type: "password", required: true, autocomplete: "new-password" });
  const role = select(ROLES, "reader", () => undefined);
  return h(
    "form",
    {
      class: "account",
      onsubmit: (event) => {
        event.preventDefault();
        void act(api.putAccount(name.value, role.value, password.value));
      },
    },
    field("Name", name),
    field("Role", role),
    field("Password", password),
    h("button", { class: "main", text: "Save account" }),
  );
}

function eventsTable(events: readonly api.Event[]): HTMLElement {
  const rows = events.map(({ at, reader, action, detail }) => [
    new Date(at).toLocaleString(),
    reader,
    action,
    detail,
  ]);
  return table("Audit log", ["at", "reader", "action", "detail"], rows);
}
