// How many insects came by hour, day or night: bars, a table of the same, and a file to take away.

import * as api from "./api.js";
import { BASE, HIGH, LEFT, WIDE, plot } from "./charts.js";
import { colourOf } from "./boxes.js";
import { fleet } from "./fleet.js";
import { h, icon, setAttr, setText, svg } from "./dom.js";
import { loadDays } from "./gallery.js";
import { present } from "./clock.js";
import { clock, dayLong, dayShort, moment, number, t } from "./words.js";

const WAYS = ["hour", "day", "night"];
const SHOWN = { hour: 48, day: 30, night: 30 };
const MEASURES = ["fresh", "total", "most"];
const AGAIN = 5000;
const DAY = 86400;
const TOP = 10;
const FEWEST = 14;
const ROOMY = 700;

export async function insects(root, id, life) {
  let by = "night";
  let measure = "fresh";
  let label = null;
  let zone;
  let end = present();
  let classes = [];
  const chips = (names, words, now, chosen) => {
    const buttons = names.map((name) => h("button", { type: "button", class: "chip", "aria-pressed": String(name === now), text: t(`${words}-${name}`), onclick: () => {
      for (const other of buttons) setAttr(other, "aria-pressed", String(other === buttons[names.indexOf(name)]));
      chosen(name);
    } }));
    return h("div", { class: "chips", role: "group", "aria-label": t(words) }, buttons);
  };
  const kinds = h("select", { class: "field", "aria-label": t("class"), onchange: () => ((label = kinds.value), paint()) });
  const file = h("a", { class: "button", download: true }, icon("download"), h("span", { text: "CSV" }));
  const place = h("div", {});
  const rows = h("tbody", {});
  const table = h("details", {}, h("summary", { text: t("as-table") }),
    h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["when", "with-any", "fresh", "total", "most"].map((one) => h("th", { scope: "col", text: t(`count-${one}`) })))), rows)));
  const head = h("div", { class: "tools" }, kinds, chips(WAYS, "by", by, (name) => ((by = name), load())), chips(MEASURES, "count", measure, (name) => ((measure = name), paint())), h("span", { class: "push" }), file);
  const node = h("section", { class: "counts panel", "aria-label": t("insects"), hidden: true }, h("h2", { text: t("insects") }), head, place, table);
  root.append(node);

  let groups = [];
  let turn = 0;
  async function load() {
    const mine = ++turn;
    try {
      const [calendar, known] = await Promise.all([loadDays(id), api.classes()]);
      zone = calendar.zone;
      classes = known.classes.map((one) => one.class);
      if (calendar.days.length) end = Math.min(present(), calendar.days.at(-1).until);
      const said = await api.counts(asked());
      if (mine !== turn || life.ended) return;
      groups = said.groups;
      paint();
    } catch (error) {
      if (mine !== turn || life.ended) return;
      node.hidden = false;
      place.replaceChildren(h("p", { class: "wait", text: api.because(error) }));
      life.later(api.AGAIN, () => mine === turn && load());
    }
  }
  // Whole spans: one more than is shown, as the first is seldom there from its beginning.
  const asked = () => ({ camera: id, by, since: Math.max(0, Math.floor(end - (SHOWN[by] + 1) * (by === "hour" ? 3600 : DAY))), until: Math.ceil(end) + 1 });

  function paint() {
    const totals = new Map();
    for (const one of groups) totals.set(one.class, (totals.get(one.class) ?? 0) + one.total);
    const names = [...totals].sort((a, b) => b[1] - a[1]).map(([name]) => name);
    if (!names.includes(label)) label = names[0] ?? label;
    node.hidden = label === null;
    if (node.hidden) return;
    kinds.replaceChildren(...(names.length ? names : [label]).map((name) => h("option", { value: name, text: name, selected: name === label })));
    file.href = api.countsTable({ ...asked(), class: label });
    const all = slotsOf(groups.filter((one) => one.class === label));
    const slots = all.slice(Math.max(0, Math.min(all.findIndex((one) => one.photos), all.length - FEWEST)));
    place.replaceChildren(bars(slots));
    rows.replaceChildren(...slots.filter((one) => one.photos).toReversed().map((one) => h("tr", {}, h("th", { scope: "row", text: titleOf(one) }), [one.photos, one.fresh, one.total, one.most].map((value) => h("td", { class: "num", text: number(value) })))));
  }

  // One after the other, with those in which there was nothing.
  function slotsOf(found) {
    const none = { photos: 0, total: 0, fresh: 0, most: 0 };
    const slots = [];
    if (by === "hour") {
      const at = new Map(found.map((one) => [one.since, one]));
      const last = found.at(-1)?.since ?? Math.floor(end / 3600) * 3600;
      const until = last + Math.floor(Math.max(0, end - last - 1) / 3600) * 3600;
      for (let since = until - (SHOWN.hour - 1) * 3600; since <= until; since += 3600) slots.push(at.get(since) ?? { since, name: "", ...none });
      return slots;
    }
    const at = new Map(found.map((one) => [one.name, one]));
    const shift = by === "night" ? DAY / 2 : 0;
    const today = new Intl.DateTimeFormat("sv-SE", { timeZone: zone || undefined }).format((end - 1 - shift) * 1000);
    for (let back = SHOWN[by] - 1; back >= 0; back -= 1) {
      const name = new Date(Date.parse(`${today}T00:00Z`) - back * DAY * 1000).toISOString().slice(0, 10);
      slots.push(at.get(name) ?? { name, ...none });
    }
    return slots;
  }
  const titleOf = (one) => (by === "hour" ? moment(one.since * 1000, zone) : by === "night" ? t("night-from", { day: dayLong(one.name) }) : dayLong(one.name));
  const short = (one) => (by === "hour" ? clock(one.since * 1000, zone) : dayShort(one.name));

  function bars(slots) {
    const most = Math.max(...slots.map((one) => one[measure]), 1);
    const left = root.clientWidth > ROOMY ? LEFT / 2 : LEFT;
    const slot = (WIDE - left - 6) / slots.length;
    const y = (value) => TOP + (1 - value / most) * (BASE - TOP);
    const sum = slots.reduce((all, one) => (measure === "most" ? Math.max(all, one[measure]) : all + one[measure]), 0);
    const value = h("b", { text: number(sum) });
    const when = h("span", { class: "soft num", text: t(`last-${by}s`, { n: slots.length }) });
    const drawn = slots.map((one, at) => {
      const bar = svg("g", { class: "slot" },
        svg("rect", { class: "reach", x: left + at * slot, width: slot, y: TOP, height: BASE - TOP }),
        one[measure] > 0 && svg("rect", { class: "bar", data: { colour: colourOf(label, classes) }, x: left + at * slot + slot * 0.14, width: slot * 0.72, y: y(one[measure]), height: BASE - y(one[measure]), rx: 1.5 }));
      bar.addEventListener("pointerenter", () => {
        setText(value, number(one[measure]));
        setText(when, titleOf(one));
      });
      return bar;
    });
    const middle = slots.length >> 1;
    const drawing = plot(
      `${label}, ${t(`count-${measure}`)}: ${slots.filter((one) => one[measure]).map((one) => `${titleOf(one)} ${one[measure]}`).join("; ") || "0"}`,
      ticks(most).map((one) => [
        svg("line", { class: "grid", x1: left, x2: WIDE - 6, y1: y(one), y2: y(one) }),
        svg("text", { class: "axis", x: left - 6, y: y(one) + 4, "text-anchor": "end" }, number(one)),
      ]),
      drawn,
      [[0, "start", 0], [middle, "middle", 0.5], [slots.length - 1, "end", 1]].map(([at, anchor, share]) => svg("text", { class: "axis", x: left + (at + share) * slot, y: HIGH - 4, "text-anchor": anchor }, short(slots[at]))),
    );
    drawing.addEventListener("pointerleave", () => {
      setText(value, number(sum));
      setText(when, t(`last-${by}s`, { n: slots.length }));
    });
    return h("div", { class: "chart" }, h("header", {}, h("h3", {}, h("span", { class: "swatch", data: { colour: colourOf(label, classes) } }), `${label} · ${t(`count-${measure}`)}`), when, value), drawing);
  }

  let again = 0;
  life.add(
    fleet.onItem((kind, what) => {
      if (kind !== "gap" && (kind !== "found" || what.camera !== id)) return;
      if (again) return;
      again = setTimeout(() => ((again = 0), load()), AGAIN);
    }),
  );
  life.add(() => clearTimeout(again));
  load();
}

// Whole numbers from 0 up, few of them.
function ticks(most) {
  let step = 1;
  for (let at = 0; most / step > 4; at += 1) step *= [2, 2.5, 2][at % 3];
  const steps = [];
  for (let value = 0; value <= most; value += step) steps.push(value);
  return steps;
}
