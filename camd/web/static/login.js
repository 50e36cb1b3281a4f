// The password, asked once.

import * as api from "./api.js";
import { h, icon } from "./dom.js";
import { t } from "./words.js";

export function loginPage(enter) {
  const field = h("input", { class: "field", type: "password", name: "password", autocomplete: "current-password", required: true, maxlength: 1024, autofocus: true });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const button = h("button", { class: "button main", text: t("sign-in") });
  const form = h(
    "form",
    { class: "panel", method: "post", action: "login", onsubmit: submit },
    h("h1", {}, icon("lens"), "camd"),
    // Password managers want a name beside the password.
    h("input", { type: "text", name: "username", value: "camd", autocomplete: "username", hidden: true, tabindex: "-1", "aria-hidden": "true" }),
    h("label", {}, t("password"), field),
    wrong,
    button,
  );
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    wrong.textContent = "";
    try {
      await api.login(field.value);
      enter();
    } catch (error) {
      if (error.status === 429) wrong.textContent = t("too-many", { span: error.retry ?? "?" });
      else wrong.textContent = error.status === 403 || error.status === 401 ? t("wrong-password") : api.because(error);
      field.select();
      field.focus();
    } finally {
      button.disabled = false;
    }
  }
  document.title = `${t("sign-in")} · camd`;
  requestAnimationFrame(() => field.focus());
  return h("main", { class: "login" }, form);
}
