// A camera's photos by day or night. Pages come as one scrolls; only what is near the window
// is in the document, so that a day of ten thousand photos is as light as one of ten.

import * as api from "./api.js";
import { fleet } from "./fleet.js";
import { Lifetime, batched, debounced, h, icon, setAttr, setText, svg } from "./dom.js";
import { download, remove, star } from "./actions.js";
import { filters } from "./filters.js";
import { lookingLine } from "./looking.js";
import { paintTile, tileOf } from "./tile.js";
import { clock, dayLong, dayName, dayShort, t } from "./words.js";

const PAGE = 120;
const GAP = 8;
const OVER = 2;
const FLY = 120;
const HALF = 43200;
const BARS = 92;
const DAY = 86400;

// The day's page as it was left, for the way back from a photo.
const left = new Map();
// What was shown there, and how far down.
let wallLeft = null;

// What a picture's page goes through with the arrows.
export const wayOf = new Map();

export function dayTitle(day, night) {
  if (!night) return dayName(day);
  const next = new Date(Date.parse(`${day}T00:00Z`) + DAY * 1000).toISOString().slice(0, 10);
  return t("night-of", { day: dayName(day), next: dayName(next) });
}

export async function loadDays(id) {
  const said = await api.days(id);
  const days = said.days.toSorted((a, b) => (a.day < b.day ? -1 : 1));
  return { zone: said.timezone, night: said.session === "noon", days };
}

// The days in which there are photos; null where nobody waits for them any more. Why they are not
// there is said until they are.
export async function calendarOf(root, id, life) {
  const wait = h("p", { class: "wait", text: t("loading") });
  root.append(wait);
  while (!life.ended)
    try {
      const calendar = await loadDays(id);
      wait.remove();
      return life.ended ? null : calendar;
    } catch (error) {
      wait.textContent = api.because(error);
      await new Promise((go) => setTimeout(go, api.AGAIN));
    }
  return null;
}

export async function photosTab(root, id, life, wanted) {
  let calendar = await calendarOf(root, id, life);
  if (!calendar) return;
  if (!calendar.days.length) {
    const none = h("div", { class: "empty" }, icon("shutter"), h("p", { text: t("no-photos") }));
    root.append(none);
    const stop = life.add(
      fleet.onItem((kind, what) => {
        if (kind !== "gap" && (kind !== "photo" || what.camera !== id)) return;
        stop();
        none.remove();
        photosTab(root, id, life, wanted);
      }),
    );
    return;
  }
  const before = left.get(id);
  let day = calendar.days.find((one) => one.day === (wanted ?? before?.day)) ?? calendar.days.at(-1);
  let night = before?.night ?? calendar.night;
  let starred = before?.starred ?? false;

  const title = h("h2", {});
  const figure = h("span", { class: "soft num" });
  const bar = h("div", { class: "daybar", role: "group", "aria-label": t("photos-a-day") });
  const earlier = h("button", { type: "button", class: "button square", "aria-label": t("day-before"), onclick: () => step(-1) }, icon("left"));
  const later = h("button", { type: "button", class: "button square", "aria-label": t("day-after"), onclick: () => step(1) }, icon("right"));
  const only = h("button", { type: "button", class: "button", "aria-pressed": String(starred), onclick: () => ((starred = !starred), go(day)) }, icon("star"), h("span", { text: t("starred") }));
  const video = h("a", { class: "button" }, icon("play"), h("span", { text: t("video-make") }));
  const mode = h(
    "select",
    { class: "field", "aria-label": t("sessions"), onchange: () => ((night = mode.value === "night"), go(day)) },
    h("option", { value: "day", text: t("by-day"), selected: !night }),
    h("option", { value: "night", text: t("by-night"), selected: night }),
  );
  const found = filters(id, life, before?.found, () => go(day));
  const hours = h("div", { class: "hours", role: "group", "aria-label": t("hours") });
  const place = h("div", {});
  root.append(
    h("div", { class: "tools" }, earlier, later, h("div", {}, title, figure), h("span", { class: "push" }), mode, only, video),
    lookingLine(life),
    found.node,
    bar,
    hours,
    place,
  );

  let inner = null;
  function bounds() {
    if (night === calendar.night) return day;
    return { since: half(day.since), until: half(day.until) };
  }
  // The noon after a midnight, the midnight before a noon; on the day that clocks are changed it is
  // not twelve hours away.
  function half(time) {
    const there = time + (night ? HALF : -HALF);
    const [hours, minutes] = clock(there * 1000, calendar.zone).split(":").map(Number);
    return there + HALF - ((hours * 3600 + minutes * 60 + (night ? 0 : HALF)) % DAY);
  }
  function step(by) {
    const at = calendar.days.indexOf(day) + by;
    if (calendar.days[at]) go(calendar.days[at]);
  }
  function go(to) {
    day = to;
    left.set(id, { day: day.day, night, starred, found: found.values() });
    history.replaceState(null, "", `#/camera/${encodeURIComponent(id)}/photos/${day.day}`);
    setAttr(video, "href", `#/camera/${encodeURIComponent(id)}/timelapse/${day.day}`);
    setText(title, dayTitle(day.day, night));
    count();
    const at = calendar.days.indexOf(day);
    earlier.disabled = at === 0;
    later.disabled = at === calendar.days.length - 1;
    setAttr(only, "aria-pressed", String(starred));
    drawDays();
    const { since, until } = bounds();
    drawHours(since, until);
    inner?.end();
    inner = new Lifetime();
    place.replaceChildren();
    wall(place, inner, { camera: id, since, until, starred: starred || undefined, ...found.values(), zone: calendar.zone });
  }
  function drawHours(since, until) {
    hours.replaceChildren();
    const many = Math.round((until - since) / 3600);
    for (let at = 0; at < many; at += 1) {
      const from = since + at * 3600;
      hours.append(
        h("button", {
          type: "button",
          text: clock(from * 1000, calendar.zone).slice(0, 2),
          "aria-label": t("jump-to", { when: clock(from * 1000, calendar.zone) }),
          onclick: (event) => {
            const again = event.target.getAttribute("aria-pressed") === "true";
            for (const other of hours.children) setAttr(other, "aria-pressed", null);
            if (!again) setAttr(event.target, "aria-pressed", "true");
            inner?.end();
            inner = new Lifetime();
            place.replaceChildren();
            wall(place, inner, { camera: id, since, until: again ? until : Math.min(until, from + 3600), starred: starred || undefined, ...found.values(), zone: calendar.zone });
          },
        }),
      );
    }
  }
  function drawDays() {
    bar.hidden = calendar.days.length < 2;
    const days = calendar.days.slice(-BARS);
    const most = Math.max(...days.map((one) => one.photos), 1);
    const every = Math.ceil(days.length / 12);
    const old = bar.scrollLeft;
    const first = !bar.children.length;
    const had = bar.contains(document.activeElement);
    bar.replaceChildren(
      ...days.map((one, at) => {
        const high = Math.max(2, (one.photos / most) * 62);
        const label = (days.length - 1 - at) % every === 0;
        return h(
          "button",
          { type: "button", "aria-pressed": String(one === day), "aria-label": `${dayLong(one.day)}: ${t("photos", { n: one.photos })}`, title: `${dayName(one.day)} · ${t("photos", { n: one.photos })}`, onclick: () => go(one) },
          svg("svg", { viewBox: "0 0 10 62", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { x: 0, y: 62 - high, width: 10, height: high, rx: 1.5 })),
          h("span", { text: label || one === day ? dayShort(one.day) : "" }),
        );
      }),
    );
    bar.scrollLeft = first ? bar.scrollWidth : old;
    if (had) bar.querySelector("[aria-pressed=true]")?.focus({ preventScroll: true });
  }
  life.add(() => inner?.end());
  life.add(
    fleet.onItem((kind, what) => {
      if (kind === "gap") recount();
      if (kind !== "photo" || what.camera !== id || !what.meta) return;
      const when = what.meta.when;
      const known = calendar.days.find((one) => when >= one.since && when < one.until);
      if (known) {
        known.photos += 1 + (what.missed ?? 0);
        count();
      } else recount();
    }),
  );
  function count() {
    setText(figure, night === calendar.night ? t("photos", { n: day.photos }) : "");
  }
  function recount() {
    loadDays(id).then((fresh) => {
      if (life.ended || !fresh.days.length) return;
      calendar = fresh;
      day = fresh.days.find((one) => one.day === day.day) ?? fresh.days.at(-1);
      later.disabled = calendar.days.indexOf(day) === calendar.days.length - 1;
      count();
      drawDays();
    }, () => {});
  }
  go(day);
}

// Whether what happened changes something about one of these.
function told(photos, kind, what) {
  const at = ["change", "found", "gone"].includes(kind) ? photos.findIndex((one) => one.id === (what.photo ?? what.id)) : -1;
  if (at < 0 || (kind === "found" && !what.findings)) return false;
  if (kind === "gone") photos.splice(at, 1);
  else if (kind === "found") photos[at].findings = what.findings;
  else Object.assign(photos[at], what);
  return true;
}
fleet.onItem((kind, what) => wallLeft && told(wallLeft.photos, kind, what));

// Newest first, in rows of tiles.
function wall(root, life, asked) {
  const { zone, ...filter } = asked;
  const narrow = Boolean(filter.class || filter.flag || filter.done !== undefined);
  let photos = [];
  const there = new Map();
  let cursor = null;
  let ended = false;
  let loading = null;
  let focus = 0;
  let fresh = 0;
  let seenAt = scrollY;

  const sheet = h("div", { class: "sheet" });
  const box = h("div", { class: "wall", role: "group", "aria-label": t("photos-label") }, sheet);
  const note = h("p", { class: "wait", role: "status" });
  const pill = h("button", { type: "button", class: "button main pill", hidden: true, onclick: reload });
  root.append(pill, box, note);
  const key = JSON.stringify(filter);
  const before = wallLeft?.key === key ? wallLeft : null;
  wallLeft = null;

  function geometry() {
    const width = box.clientWidth || 320;
    const wanted = width < 480 ? 100 : 168;
    const across = Math.max(2, Math.floor((width + GAP) / (wanted + GAP)));
    const high = ((width - GAP * (across - 1)) / across) * 0.75 + GAP;
    return { across, high };
  }

  function paint() {
    if (life.ended) return;
    const { across, high } = geometry();
    const rows = Math.ceil(photos.length / across);
    const top = box.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / high) - OVER);
    const last = Math.min(rows, Math.max(0, Math.ceil((innerHeight - top) / high)) + OVER);
    box.style.height = `${Math.max(0, rows * high - GAP)}px`;
    sheet.style.gridTemplateColumns = `repeat(${across}, minmax(0, 1fr))`;
    sheet.style.transform = `translateY(${first * high}px)`;
    const from = first * across;
    const until = Math.min(photos.length, last * across);
    // Who flies past wants no pictures on the way.
    const wait = Math.abs(scrollY - seenAt) > innerHeight / 2 ? FLY : 0;
    seenAt = scrollY;
    const wanted = new Set();
    let next = sheet.firstChild;
    for (let at = from; at < until; at += 1) {
      const photo = photos[at];
      wanted.add(photo.id);
      let tile = there.get(photo.id);
      if (!tile) {
        tile = tileOf(photo, zone, wait);
        there.set(photo.id, tile);
      }
      tile.photo = photo;
      tile.at = at;
      tile.tabIndex = at === focus ? 0 : -1;
      paintTile(tile, photo);
      if (tile !== next) sheet.insertBefore(tile, next);
      else next = tile.nextSibling;
    }
    for (const [id, tile] of there)
      if (!wanted.has(id)) {
        tile.remove();
        there.delete(id);
      }
    if (!ended && last >= rows - 2) more();
  }
  const draw = batched(paint);

  async function more() {
    if (loading || ended || life.ended) return loading;
    note.textContent = t("loading");
    loading = api.photos({ ...filter, limit: PAGE, cursor });
    try {
      const page = await loading;
      if (life.ended) return;
      const have = new Set(photos.map((one) => one.id));
      photos.push(...page.photos.filter((one) => !have.has(one.id)));
      cursor = page.next;
      ended = !cursor;
      note.textContent = photos.length ? (ended && photos.length > 40 ? t("all-shown", { n: photos.length }) : "") : t(narrow ? "no-such-photos" : filter.starred ? "no-starred" : "no-photos-then");
    } catch (error) {
      note.textContent = api.because(error);
      ended = true;
      life.later(api.AGAIN, () => ((ended = false), more()));
    } finally {
      loading = null;
    }
    draw();
  }

  // Nobody looks further down: a new one may push the others along.
  const atTop = () => !fresh && !box.contains(document.activeElement) && box.getBoundingClientRect().top > 0;

  // Those of which it may have been missed that they are gone.
  const doubted = new Set();
  // Some came so fast that not each was told of, or nothing was told for a while: what is new is
  // asked for.
  const newest = debounced(async () => {
    const page = await api.photos({ ...filter, limit: PAGE }).catch(() => null);
    if (!page || life.ended) return;
    const have = new Map(photos.map((one) => [one.id, one]));
    const unseen = page.photos.filter((one) => !have.has(one.id));
    for (const one of page.photos) Object.assign(have.get(one.id) ?? {}, one);
    const still = new Set(page.photos.map((one) => one.id));
    const last = page.next ? page.photos.at(-1).when : -Infinity;
    const kept = photos.filter((one) => one.when <= last || still.has(one.id) || !doubted.has(one.id));
    photos.splice(0, photos.length, ...kept);
    doubted.clear();
    if (unseen.length && photos.length && !atTop()) {
      announce(unseen.length);
      draw();
      return;
    }
    if (unseen.length === page.photos.length) {
      photos.length = 0;
      cursor = page.next;
      ended = !cursor;
    }
    photos.push(...unseen);
    photos.sort((a, b) => b.when - a.when || b.seq - a.seq);
    if (photos.length) note.textContent = "";
    draw();
  }, 300);

  function announce(many) {
    fresh += many;
    pill.hidden = false;
    pill.replaceChildren(icon("up"), t("new-photos", { n: fresh }));
  }

  function reload() {
    photos.length = 0;
    cursor = null;
    ended = false;
    fresh = 0;
    pill.hidden = true;
    more();
  }

  function focusAt(at) {
    if (at < 0 || at >= photos.length) return;
    focus = at;
    const { across, high } = geometry();
    const top = box.getBoundingClientRect().top + scrollY;
    const y = top + Math.floor(at / across) * high;
    const edge = 70;
    if (y < scrollY + edge) scrollTo(0, y - edge);
    else if (y + high > scrollY + innerHeight - edge) scrollTo(0, y + high - innerHeight + edge);
    draw();
    requestAnimationFrame(() => requestAnimationFrame(() => there.get(photos[at]?.id)?.focus({ preventScroll: true })));
  }

  // Who opens a photo comes back to where it is.
  life.on(box, "click", (event) => {
    const tile = event.target.closest(".tile");
    if (tile) wallLeft = { key, photos, cursor, ended, y: scrollY, at: tile.at };
  });
  life.on(box, "focusin", (event) => {
    if (event.target.at !== undefined) focus = event.target.at;
  });
  life.on(box, "click", () => wayOf.set(filter.camera, filter));
  life.on(box, "keydown", async (event) => {
    const tile = event.target;
    if (tile.at === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const { across } = geometry();
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    if (step) {
      event.preventDefault();
      focusAt(tile.at + step);
    } else if (event.key === "Home") {
      event.preventDefault();
      focusAt(0);
    } else if (event.key === "s") {
      await star(tile.photo);
      draw();
    } else if (event.key === "d") download(tile.photo);
    else if (event.key === "Delete" && (await remove(tile.photo, zone))) focusAt(Math.min(tile.at, photos.length - 1));
  });
  life.on(window, "scroll", draw, { passive: true });
  life.on(window, "resize", draw);
  life.add(
    fleet.onItem((kind, what) => {
      if (kind === "gap") {
        for (const one of photos) doubted.add(one.id);
        newest();
      }
      else if (told(photos, kind, what)) draw();
      else if (kind === "found" && what.findings && narrow && what.camera === filter.camera) newest();
      else if (kind === "photo" && what.camera === filter.camera && what.meta && !filter.starred && !filter.class && !filter.flag) {
        const { when } = what.meta;
        if (when < filter.since || when >= filter.until) return;
        if (atTop()) {
          if (what.missed || photos[0]?.when > when) {
            newest();
            return;
          }
          if (!photos.some((one) => one.id === what.meta.id)) photos.unshift(what.meta);
          note.textContent = "";
          draw();
          return;
        }
        announce(1 + (what.missed ?? 0));
      }
    }),
  );
  if (before) {
    ({ photos, cursor, ended } = before);
    for (const one of photos) doubted.add(one.id);
    paint();
    scrollTo(0, before.y);
    focusAt(before.at);
    newest();
  } else more();
}
