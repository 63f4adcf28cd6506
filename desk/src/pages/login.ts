import { field, h } from "../dom";
import { login } from "../net/api";

/** The page for who has no session: sign in where the desk has accounts, else the way to the printed address. */
export function loginPage(error: unknown, done: () => void): HTMLElement {
  const words = h("p", { role: "alert", text: error instanceof Error ? error.message : String(error) });
  const name = h("input", { type: "text", autocomplete: "username", required: true });
  const password = h("input", { type: "password", autocomplete: "current-password", required: true });
  const signIn = async () => {
    try {
      await login(name.value, password.value);
      done();
    } catch (wrong) {
      words.textContent = wrong instanceof Error ? wrong.message : String(wrong);
      password.value = "";
      password.focus();
    }
  };
  // A desk without accounts is opened by the address that its command printed: there the words say so.
  const hasAccounts = words.textContent.includes("sign in");
  return h(
    "main",
    { class: "login" },
    h("h1", { text: "Review desk" }),
    words,
    hasAccounts &&
      h(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            void signIn();
          },
        },
        field("Name", name),
        field("Password", password),
        h("button", { class: "main", text: "Sign in" }),
      ),
  );
}
