// The page's frame: who is signed in, which page is shown, and whether camd is still there.

import * as api from "./api.js";
import { cameraPage } from "./camera-page.js";
import { fleet } from "./fleet.js";
import { fleetPage } from "./fleet-page.js";
import { h, icon, setAttr } from "./dom.js";
import { logPage } from "./log-page.js";
import { loginPage } from "./login.js";
import { photoPage } from "./photo-page.js";
import { notes, saver } from "./saver.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

const ROUTES = { "": fleetPage, camera: cameraPage, photo: photoPage, log: logPage };

const main = h("main", { id: "main", tabindex: "-1" });
const link = h("span", { class: "link", role: "status" });
const links = {
  "": h("a", { href: "#/" }, icon("grid"), t("cameras")),
  log: h("a", { href: "#/log" }, icon("list"), t("log")),
};
const out = h("button", { type: "button", class: "button plain square", "aria-label": t("sign-out"), title: t("sign-out"), onclick: () => api.logout().then(() => (out.hidden = !api.session.password), (error) => toast(api.because(error), "bad")) }, icon("out"));
const frame = [
  h("a", { class: "skip", href: "#main", text: t("skip"), onclick: (event) => (event.preventDefault(), main.focus()) }),
  h(
    "header",
    { class: "top" },
    h("a", { class: "brand", href: "#/" }, icon("lens"), "camd"),
    h("nav", { class: "nav", "aria-label": t("pages") }, Object.values(links)),
    h("div", { class: "end" }, link, out),
  ),
  main,
];
document.body.append(h("div", { class: "toasts", "aria-live": "polite" }));

let page = null;
let turn = 0;
const places = new Map();
let here = "";

async function show() {
  const mine = ++turn;
  const hash = location.hash || "#/";
  if (here) places.set(here, scrollY);
  const [name, ...rest] = hash.slice(2).split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const from = here;
  here = hash;
  page?.end();
  page = null;
  for (const [key, node] of Object.entries(links))
    setAttr(node, "aria-current", key === (name === "camera" || name === "photo" ? "" : name) ? "page" : null);
  const root = document.createElement("div");
  document.title = "camd";
  main.replaceChildren(root);
  try {
    const made = await (ROUTES[name] ?? fleetPage)(root, rest, from);
    if (mine !== turn) made?.end();
    else page = made;
  } catch (error) {
    if (mine !== turn) return;
    if (api.session.signed_in)
      root.replaceChildren(
        h("div", { class: "empty" }, icon("alert"), h("p", { text: api.because(error) }), h("button", { type: "button", class: "button", text: t("again"), onclick: show })),
      );
  }
  if (mine === turn && from && document.activeElement === document.body) main.focus({ preventScroll: true });
  if (mine === turn) scrollTo(0, from && places.has(hash) ? places.get(hash) : 0);
}

function enter() {
  for (const node of document.querySelectorAll(".login")) node.remove();
  document.body.prepend(...frame);
  out.hidden = !api.session.password;
  here = "";
  for (const each of [saver, notes]) each.resume();
  show();
}

function leave() {
  turn += 1;
  page?.end();
  page = null;
  fleet.forget();
  main.replaceChildren();
  for (const node of frame) node.remove();
  if (!document.querySelector(".login")) document.body.prepend(loginPage(enter));
}

async function begin() {
  try {
    await api.open();
  } catch (error) {
    const note = h("div", { class: "empty" }, icon("alert"), h("p", { text: api.because(error) }));
    document.body.prepend(note);
    setTimeout(() => (note.remove(), begin()), 3000);
    return;
  }
  if (api.session.signed_in) enter();
  else leave();
}

api.whenSignedOut(leave);
addEventListener("hashchange", () => api.session.signed_in && show());
fleet.watchVisibility();
fleet.onLink((state) => {
  link.dataset.state = state;
  if (state === "open") for (const each of [saver, notes]) each.resume();
  link.textContent = state === "lost" ? t("link-lost") : "";
  link.title = t(`link-${state}`);
  link.setAttribute("aria-label", t(`link-${state}`));
});
setInterval(() => fleet.tick(), 2000);
begin();
