// What happened, newest first; and what was refused.

import * as api from "./api.js";
import { fleet } from "./fleet.js";
import { Lifetime, h, icon } from "./dom.js";
import { lookingTab, sendingTab } from "./looking.js";
import { bytes, clockExact, compare, dayLong, known, moment, t } from "./words.js";

const PAGE = 100;
// More than that is not kept on the page, nor for it.
const MOST = 1000;
const SOON = 1000;
const KINDS = ["photo", "refused", "came", "left", "sleeps", "silent", "back", "stat", "command", "denied", "store", "found", "poor", "good", "alert"];
const TONES = { photo: "good", came: "good", back: "good", refused: "warn", denied: "bad", silent: "bad", store: "warn", sleeps: "sleep", found: "good", good: "good", poor: "bad", alert: "bad" };

export async function logPage(root, [tab = "", camera = ""]) {
  const life = new Lifetime();
  document.title = `${t("log")} · camd`;
  await fleet.ready();
  if (life.ended) return life;
  let kind = "";
  const happened = h("button", { type: "button", role: "tab", text: t("happened"), onclick: () => open("") });
  const refused = h("button", { type: "button", role: "tab", text: t("refused-photos"), onclick: () => open("refused") });
  const tabs = new Map([
    ["", happened],
    ["refused", refused],
    ...["looking", "sending"].map((name) => [name, h("button", { type: "button", role: "tab", text: t(`tab-${name}`), onclick: () => open(name) })]),
  ]);
  const cameras = h("select", { class: "field", "aria-label": t("camera"), onchange: () => ((camera = cameras.value), open(tab)) },
    h("option", { value: "", text: t("all-cameras") }),
    fleet.all().map((one) => one.id).sort(compare).map((id) => h("option", { value: id, text: id, selected: id === camera })));
  const kinds = h("select", { class: "field", "aria-label": t("kind"), onchange: () => ((kind = kinds.value), open(tab)) },
    h("option", { value: "", text: t("all-kinds") }),
    KINDS.map((one) => h("option", { value: one, text: t(`kind-${one}`) })));
  const place = h("div", { role: "tabpanel" });
  root.append(
    h("div", { class: "log" }, h("h1", { text: t("log") }), h("div", { class: "tabs", role: "tablist" }, ...tabs.values()), h("div", { class: "tools" }, cameras, kinds), place),
  );
  let inner = null;
  function open(name) {
    tab = name;
    inner?.end();
    inner = new Lifetime();
    for (const [other, button] of tabs) button.setAttribute("aria-selected", String(other === name));
    tabs.get(name).scrollIntoView({ inline: "nearest", block: "nearest" });
    kinds.hidden = Boolean(name);
    cameras.hidden = name === "looking" || name === "sending";
    history.replaceState(null, "", name || camera ? `#/log/${name}${camera ? `/${encodeURIComponent(camera)}` : ""}` : "#/log");
    place.replaceChildren();
    if (name === "looking") lookingTab(place, inner);
    else if (name === "sending") sendingTab(place, inner);
    else if (name) refusals(place, inner, camera);
    else entries(place, inner, camera, kind);
  }
  life.add(() => inner?.end());
  open(tabs.has(tab) ? tab : "");
  return life;
}

function entries(root, life, camera, kind) {
  const list = h("div", { class: "entries panel", role: "feed", "aria-label": t("log") });
  const end = h("p", { class: "wait", role: "status", text: t("loading") });
  const pill = h("button", { type: "button", class: "button main pill", hidden: true, onclick: () => (scrollTo(0, 0), flush()) });
  root.append(pill, list, end);
  let before;
  let loading = false;
  let done = false;
  let lastDay = "";
  let firstDay = "";
  let waiting = [];
  // So many came that the page begins anew with the newest.
  let lost = 0;
  let turn = 0;
  const seen = new Set();

  const dayOf = (item) => {
    const at = new Date(item.when * 1000);
    return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
  };
  async function more() {
    if (loading || done || life.ended) return;
    loading = true;
    const mine = turn;
    try {
      const said = await api.log({ camera, kind, before, limit: PAGE });
      if (life.ended || mine !== turn) return;
      for (const item of said.items) {
        if (seen.has(item.number)) continue;
        seen.add(item.number);
        const day = dayOf(item);
        if (day !== lastDay) list.append(h("p", { class: "dayline", text: dayLong(day) }));
        firstDay ||= day;
        lastDay = day;
        list.append(entryOf(item, day));
      }
      before = said.items.at(-1)?.number;
      done = said.items.length < PAGE;
      end.textContent = seen.size ? (done ? t("log-end") : "") : t("nothing-happened");
      list.hidden = !seen.size;
    } catch (error) {
      end.textContent = api.because(error);
      life.later(api.AGAIN, more);
    } finally {
      if (mine === turn) loading = false;
    }
  }
  function entryOf(item, day) {
    const node = entry(item);
    Object.assign(node, { number: item.number, day });
    return node;
  }
  function restart() {
    turn += 1;
    waiting = [];
    lost = 0;
    loading = done = false;
    lastDay = firstDay = "";
    before = undefined;
    seen.clear();
    list.replaceChildren();
    more();
  }
  // What nobody scrolls down to any more is asked for again by who does.
  function shorten() {
    if (list.children.length <= MOST) return;
    while (list.children.length > MOST / 2) {
      seen.delete(list.lastChild.number);
      list.lastChild.remove();
    }
    while (list.lastChild.number === undefined) list.lastChild.remove();
    before = list.lastChild.number;
    lastDay = list.lastChild.day;
    done = false;
    end.textContent = "";
  }
  function flush() {
    const items = waiting;
    waiting = [];
    pill.hidden = true;
    if (lost) {
      restart();
      return;
    }
    for (const item of items) {
      const day = dayOf(item);
      if (day !== firstDay) {
        list.prepend(h("p", { class: "dayline", text: dayLong(day) }));
        firstDay = day;
        lastDay ||= day;
      }
      list.firstChild.after(entryOf(item, day));
    }
    shorten();
    list.hidden = !seen.size;
    if (seen.size) end.textContent = done ? t("log-end") : "";
  }
  life.add(
    fleet.onItem((which, item) => {
      if (which === "gap") catchUp();
      if (item.number === undefined || (camera && item.camera !== camera) || (kind && which !== kind) || seen.has(item.number)) return;
      wait(item);
    }),
  );
  function wait(item) {
    if (lost || waiting.length >= MOST) {
      lost += 1;
      return;
    }
    seen.add(item.number);
    waiting.push(item);
  }
  async function catchUp() {
    const mine = turn;
    const said = await api.log({ camera, kind, limit: PAGE }).catch(() => null);
    if (!said || life.ended || mine !== turn) return;
    const unseen = said.items.filter((item) => !seen.has(item.number));
    // There is more between, or what was there is camd's no more.
    if (unseen.length === said.items.length) lost += unseen.length;
    for (const item of unseen.toReversed()) wait(item);
  }
  // At the top news just come; further down they wait, so that nothing moves under the eye.
  life.every(500, () => {
    if ((!waiting.length && !lost) || loading) return;
    if (scrollY < 40) flush();
    else {
      pill.hidden = false;
      pill.replaceChildren(icon("up"), t("new-entries", { n: waiting.length + lost }));
    }
  });
  const watch = new IntersectionObserver(([one]) => one.isIntersecting && more(), { rootMargin: "600px" });
  watch.observe(end);
  life.add(() => watch.disconnect());
  more();
}

// "jpeg: cut off" says no more than "cut off" where the reason has its own words.
function withoutReason({ reason, text }) {
  if (!reason || !text.startsWith(reason)) return text;
  return text.slice(reason.length).replace(/^: */, "");
}

function entry(item) {
  const plain = withoutReason(item);
  const name = item.kind === "photo" ? item.text.split("/").pop() : plain;
  const text = item.reason ? [known(`reason-${item.reason}`, item.reason), plain].filter(Boolean).join(": ") : name;
  const more = item.missed ? h("span", { class: "soft", text: ` ${t("and-more", { n: item.missed })}` }) : null;
  return h(
    "article",
    { class: "entry", data: { tone: TONES[item.kind] ?? "" } },
    h("time", { datetime: new Date(item.when * 1000).toISOString(), title: moment(item.when * 1000), text: clockExact(item.when * 1000) }),
    h("span", { class: "kind", text: known(`kind-${item.kind}`, item.kind) }),
    item.camera ? h("a", { href: `#/camera/${encodeURIComponent(item.camera)}`, text: item.camera }) : h("span", {}),
    h("p", {}, item.photo ? h("a", { href: `#/photo/${encodeURIComponent(item.photo)}`, text }) : text, more),
  );
}

async function refusals(root, life, camera) {
  let again = 0;
  life.add(() => clearTimeout(again));
  life.add(
    fleet.onItem((kind, item) => {
      if (again || (kind !== "gap" && (kind !== "refused" || (camera && item.camera !== camera)))) return;
      again = setTimeout(() => ((again = 0), showRefusals(root, life, camera)), SOON);
    }),
  );
  await showRefusals(root, life, camera);
}

async function showRefusals(root, life, camera) {
  const [kept, told] = await Promise.all([
    api.refused({ camera, limit: 200 }),
    api.log({ camera, kind: "refused", limit: 200 }),
  ]).catch((error) => {
    if (!life.ended) root.replaceChildren(h("p", { class: "wait", text: api.because(error) }));
    life.later(api.AGAIN, () => life.ended || showRefusals(root, life, camera));
    return [null, null];
  });
  if (!kept || life.ended) return;
  root.replaceChildren();
  if (!kept.quarantine) root.append(h("p", { class: "notice" }, icon("alert"), h("span", { text: t("quarantine-off") })));
  // With a picture where one was kept, else the log's line alone.
  const pictures = kept.refused.map((one) => ({ ...one, text: "" }));
  const lines = told.items
    .map((item) => ({ id: "", camera: item.camera, when: item.when, reason: item.reason, text: item.text }))
    .filter((line) => {
      const same = pictures.find((one) => !one.text && one.camera === line.camera && one.reason === line.reason && Math.abs(one.when - line.when) < 2);
      if (same) same.text = line.text;
      return !same;
    });
  const all = [...pictures, ...lines].sort((a, b) => b.when - a.when);
  if (!all.length) {
    root.append(h("div", { class: "empty" }, icon("check"), h("p", { text: t("nothing-refused") })));
    return;
  }
  root.append(h("div", { class: "refusals" }, all.map(refusal)));
}

function refusal(one) {
  const image = one.id && h("img", { src: api.refusedImage(one.id), alt: t("refused-picture"), loading: "lazy" });
  // A spoilt photo may be one that no browser can show.
  if (image) image.addEventListener("error", () => image.remove());
  const shot = h("div", { class: "shot" }, image, icon("alert"));
  return h(
    "article",
    { class: "refusal panel" },
    one.id ? h("a", { href: api.refusedImage(one.id), target: "_blank", rel: "noopener" }, shot) : shot,
    h(
      "div",
      { class: "text" },
      h("b", { text: known(`reason-${one.reason}`, one.reason) }),
      h("a", { href: `#/camera/${encodeURIComponent(one.camera)}`, text: one.camera }),
      h("span", { class: "soft", text: [moment(one.when * 1000), one.size && bytes(one.size)].filter(Boolean).join(" · ") }),
      withoutReason(one) && h("span", { class: "soft", text: withoutReason(one) }),
    ),
  );
}
