// Measurements as lines, photos a day as bars: SVG, drawn here.

import * as api from "./api.js";
import { fleet } from "./fleet.js";
import { h, icon, setText, svg } from "./dom.js";
import { loadDays } from "./gallery.js";
import { present } from "./clock.js";
import { clock, dayLong, dayShort, bytes, known, moment, number, span, t } from "./words.js";

export const WIDE = 600;
export const HIGH = 130;
export const BASE = 108;
export const LEFT = 54;
const SPANS = { hour: 3600, day: 86400, week: 604800, all: 0 };
const GAP = 6;
const ORDER = ["rssi", "vbat", "temp", "queued", "heap", "uptime"];

export async function measurements(root, id, life) {
  const picks = h("div", { class: "chips", role: "group", "aria-label": t("span") });
  const place = h("div", { class: "charts" });
  let wish = "day";
  const buttons = Object.keys(SPANS).map((name) =>
    h("button", { type: "button", class: "chip", "aria-pressed": String(name === wish), text: t(`span-of-${name}`), onclick: (event) => {
      wish = name;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === event.currentTarget));
      load();
    } }),
  );
  picks.append(...buttons);
  root.append(picks, place);
  let turn = 0;
  async function load() {
    const mine = ++turn;
    const since = SPANS[wish] ? Math.floor(present() - SPANS[wish]) : undefined;
    let said;
    let calendar;
    try {
      [said, calendar] = await Promise.all([api.telemetry(id, since), loadDays(id)]);
    } catch (error) {
      if (mine !== turn || life.ended) return;
      place.replaceChildren(h("p", { class: "wait", text: api.because(error) }));
      life.later(api.AGAIN, () => mine === turn && load());
      return;
    }
    if (mine !== turn || life.ended) return;
    const names = Object.keys(said.values).sort((a, b) => rank(a) - rank(b));
    const charts = names.map((name) => line(name, said, calendar.zone)).filter(Boolean);
    if (calendar.days.length) charts.unshift(days(calendar.days.slice(-60)));
    if (!names.length) charts.push(h("section", { class: "chart panel" }, h("div", { class: "empty" }, icon("sliders"), h("p", { text: t("no-telemetry") }))));
    place.replaceChildren(...charts);
  }
  let again = 0;
  life.add(
    fleet.onItem((kind, what) => {
      if (kind !== "gap" && (kind !== "stat" || what.camera !== id)) return;
      if (again) return;
      again = setTimeout(() => ((again = 0), load()), 3000);
    }),
  );
  life.add(() => clearTimeout(again));
  load();
}

const rank = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : 99);

function said(name, value) {
  if (name === "rssi") return `${number(value)} dBm`;
  if (name === "vbat") return `${value.toFixed(2)} V`;
  if (name === "temp") return `${number(Math.round(value * 10) / 10)} °C`;
  if (name === "heap") return bytes(value);
  if (name === "uptime") return span(value);
  return number(Math.round(value * 1000) / 1000);
}

function line(name, { when, values, step }, zone) {
  const points = [];
  values[name].forEach((value, at) => value !== null && points.push([when[at], value]));
  if (!points.length) return null;
  const [from, to] = [points[0][0], Math.max(points.at(-1)[0], points[0][0] + 1)];
  let low = Math.min(...points.map((point) => point[1]));
  let high = Math.max(...points.map((point) => point[1]));
  const pad = (high - low) * 0.1 || Math.abs(high) * 0.05 || 1;
  low -= pad;
  high += pad;
  // A single point stands in the middle.
  const x = (time) => points.length === 1 ? (WIDE + LEFT) / 2 : LEFT + ((time - from) / (to - from)) * (WIDE - LEFT - 6);
  const y = (value) => 8 + (1 - (value - low) / (high - low)) * (BASE - 8);
  // Where a camera was away the line stops.
  const usual = median(points.slice(1).map((point, at) => point[0] - points[at][0])) || step;
  let path = "";
  let area = "";
  let start = 0;
  points.forEach(([time, value], at) => {
    const broken = at && time - points[at - 1][0] > Math.max(usual, step) * GAP;
    if (broken || !at) {
      if (at) area += closing(start, at - 1);
      start = at;
      area += `M${x(time).toFixed(1)} ${BASE}`;
    }
    path += `${broken || !at ? "M" : "L"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
    area += `L${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  function closing(_, last) {
    return `L${x(points[last][0]).toFixed(1)} ${BASE}Z`;
  }
  area += closing(start, points.length - 1);
  const value = h("b", { text: said(name, points.at(-1)[1]) });
  const cursor = svg("line", { class: "at", y1: 4, y2: BASE, visibility: "hidden" });
  const mark = svg("path", { class: "mark", visibility: "hidden" });
  const title = known(`fact-${name}`, known(`tele-${name}`, name));
  const drawing = plot(
    `${title}: ${said(name, points.at(-1)[1])}`,
    grid(low, high, y, (one) => short(name, one)),
    points.length > 1 && svg("text", { class: "axis", x: LEFT, y: HIGH - 4 }, clockOr(from, to, from, zone)),
    svg("text", { class: "axis", x: WIDE - 6, y: HIGH - 4, "text-anchor": "end" }, clockOr(from, to, to, zone)),
    svg("path", { class: "area", d: area }),
    svg("path", { class: "trace", d: path }),
    points.length === 1 && svg("path", { class: "mark", d: dot(x(points[0][0]), y(points[0][1])) }),
    cursor,
    mark,
  );
  const place = h("span", { class: "soft num" });
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const time = from + (((event.clientX - box.left) / box.width) * WIDE - LEFT) / (WIDE - LEFT - 6) * (to - from);
    const near = points.reduce((best, point) => (Math.abs(point[0] - time) < Math.abs(best[0] - time) ? point : best));
    for (const [key, number_] of Object.entries({ x1: x(near[0]), x2: x(near[0]) })) cursor.setAttribute(key, number_);
    mark.setAttribute("d", dot(x(near[0]), y(near[1])));
    for (const one of [cursor, mark]) one.setAttribute("visibility", "visible");
    setText(value, said(name, near[1]));
    setText(place, moment(near[0] * 1000, zone));
  });
  drawing.addEventListener("pointerleave", () => {
    for (const one of [cursor, mark]) one.setAttribute("visibility", "hidden");
    setText(value, said(name, points.at(-1)[1]));
    setText(place, "");
  });
  return h("section", { class: "chart panel" }, h("header", {}, h("h3", { text: title }), place, value), drawing);
}

// A stroke of no length with round ends stays round, however the drawing is stretched.
const dot = (x, y) => `M${x.toFixed(1)} ${y.toFixed(1)}h0.01`;

const clockOr = (from, to, time, zone) => (to - from > 86400 ? moment : clock)(time * 1000, zone);

function short(name, value) {
  if (name === "heap") return bytes(value);
  if (name === "uptime") return span(value);
  return Math.abs(value) < 10 && !Number.isInteger(value) ? value.toFixed(name === "vbat" ? 2 : 1) : number(Math.round(value));
}

function grid(low, high, y, label) {
  return [0.12, 0.5, 0.88].map((share) => {
    const value = low + (high - low) * share;
    return [
      svg("line", { class: "grid", x1: LEFT, x2: WIDE - 6, y1: y(value), y2: y(value) }),
      svg("text", { class: "axis", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, label(value)),
    ];
  });
}

export function plot(label, ...parts) {
  const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, parts.flat(Infinity).filter(Boolean));
  // Text must not stretch with the drawing: the drawing is as wide as it is shown.
  new ResizeObserver(([entry]) => {
    const wide = entry.contentRect.width;
    if (!wide) return;
    const stretch = WIDE / wide;
    for (const text of drawing.querySelectorAll("text")) {
      const at = Number(text.getAttribute("x"));
      text.setAttribute("transform", `translate(${at * (1 - stretch)} 0) scale(${stretch} 1)`);
    }
  }).observe(drawing);
  return drawing;
}

function days(list) {
  const most = Math.max(...list.map((one) => one.photos), 1);
  const slot = (WIDE - LEFT - 6) / Math.max(list.length, 7);
  const y = (value) => 8 + (1 - value / (most * 1.05)) * (BASE - 8);
  const value = h("b", { text: number(list.at(-1).photos) });
  const place = h("span", { class: "soft num" });
  const bars = list.map((one, at) => {
    const bar = svg("rect", { class: "bar", x: LEFT + at * slot + slot * 0.12, width: Math.min(slot * 0.76, 40), y: y(one.photos), height: BASE - y(one.photos), rx: 1.5 });
    bar.addEventListener("pointerenter", () => {
      setText(value, number(one.photos));
      setText(place, dayLong(one.day));
    });
    return bar;
  });
  const drawing = plot(
    `${t("photos-a-day")}: ${list.map((one) => `${one.day} ${one.photos}`).join(", ")}`,
    grid(0, most, y, (one) => number(Math.round(one))),
    bars,
    svg("text", { class: "axis", x: LEFT, y: HIGH - 4 }, dayShort(list[0].day)),
    list.length > 1 && svg("text", { class: "axis", x: LEFT + (list.length - 0.5) * slot, y: HIGH - 4, "text-anchor": "middle" }, dayShort(list.at(-1).day)),
  );
  return h("section", { class: "chart panel" }, h("header", {}, h("h3", { text: t("photos-a-day") }), place, value), drawing);
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
