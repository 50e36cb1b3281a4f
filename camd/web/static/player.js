// A day in a minute: scrub through it or let it run. Photos are asked for around the place that
// is looked at; a day of ten thousand is never loaded whole.

import * as api from "./api.js";
import { h, icon, setText } from "./dom.js";
import { films } from "./films.js";
import { calendarOf, dayTitle } from "./gallery.js";
import { toast } from "./toast.js";
import { clockExact, t } from "./words.js";

const CHUNK = 100;
const SPEEDS = [2, 5, 10, 20];
const AHEAD = 4;
const WIDTHS = [320, 640, 1280];

export async function player(root, id, life, wanted) {
  const calendar = await calendarOf(root, id, life);
  if (!calendar) return;
  if (!calendar.days.length) {
    root.append(h("div", { class: "empty" }, icon("play"), h("p", { text: t("no-photos") })));
    return;
  }
  let day = calendar.days.find((one) => one.day === wanted) ?? calendar.days.at(-1);
  const image = h("img", { alt: t("tab-timelapse") });
  const screen = h("div", { class: "screen" }, image);
  const scrub = h("input", { type: "range", min: 0, max: 1000, value: 0, step: 1, "aria-label": t("scrub") });
  const when = h("output", { class: "num" });
  const play = h("button", { type: "button", class: "button main square", "aria-label": t("play"), onclick: () => run(!running) }, icon("play"));
  const pick = h("select", { class: "field", "aria-label": t("day"), onchange: () => go(calendar.days.find((one) => one.day === pick.value)) },
    calendar.days.toReversed().map((one) => h("option", { value: one.day, text: `${dayTitle(one.day, calendar.night)} · ${t("photos", { n: one.photos })}`, selected: one === day })));
  const speed = h("select", { class: "field", "aria-label": t("speed") }, SPEEDS.map((n) => h("option", { value: n, text: t("a-second", { n }), selected: n === 10 })));
  root.append(
    h("section", { class: "player panel", "aria-label": t("tab-timelapse") }, screen,
      h("div", { class: "bar" }, play, scrub, when),
      h("div", { class: "more" }, pick, speed)),
  );
  const dayShown = films(root, id, life, calendar);

  // Sorted by time; the gaps between what is known are asked for when somebody gets there.
  let known = [];
  let begin = 0;
  let end = 1;
  let at = 0;
  let running = false;
  let asking = null;
  let turn = 0;
  let spans = [];

  async function open(to) {
    run(false);
    day = to;
    dayShown(day);
    const mine = ++turn;
    known = [];
    spans = [];
    const [first, last] = await Promise.all([
      api.photos({ camera: id, since: day.since, until: day.until, order: "oldest", limit: CHUNK }),
      api.photos({ camera: id, since: day.since, until: day.until, order: "newest", limit: 1 }),
    ]);
    if (mine !== turn || life.ended || !first.photos.length) return;
    add(first.photos);
    spans.push([day.since, first.next ? first.photos.at(-1).when : Infinity]);
    add(last.photos);
    begin = known[0].when;
    end = Math.max(known.at(-1).when, begin + 0.001);
    at = 0;
    draw();
  }

  function add(photos) {
    const have = new Set(known.map((one) => one.id));
    const fresh = photos.filter((one) => !have.has(one.id));
    if (fresh.length) known = [...known, ...fresh].sort((a, b) => a.when - b.when || a.seq - b.seq);
  }

  const index = (time) => {
    let low = 0;
    let high = known.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (known[middle].when <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  // The one whose time is closest, on either side.
  function nearest(time) {
    const before = index(time);
    const after = known[before + 1];
    return after && after.when - time < Math.abs(time - known[before].when) ? before + 1 : before;
  }

  function width() {
    const wanted = screen.clientWidth * Math.min(devicePixelRatio, 2);
    return WIDTHS.find((one) => one >= wanted) ?? WIDTHS.at(-1);
  }

  function draw() {
    const photo = known[at];
    if (!photo) return;
    image.src = api.thumbnailOf(photo.id, width());
    setText(when, clockExact(photo.when * 1000, calendar.zone));
    scrub.setAttribute("aria-valuetext", when.textContent);
    scrub.value = Math.round(((photo.when - begin) / (end - begin)) * 1000);
    const wide = width();
    for (const next of known.slice(at + 1, at + 1 + AHEAD)) new Image().src = api.thumbnailOf(next.id, wide);
  }

  // From *time* on, in order.
  async function fetchFrom(time) {
    if (asking) return;
    const mine = turn;
    asking = api.photos({ camera: id, since: time, until: day.until, order: "oldest", limit: CHUNK });
    try {
      const page = await asking;
      if (mine !== turn || life.ended) return;
      add(page.photos);
      spans.push([time, page.next ? page.photos.at(-1).when : Infinity]);
    } catch {
      run(false);
    } finally {
      asking = null;
    }
  }

  let timer = 0;
  function run(on) {
    if (running === on) return;
    running = on;
    clearTimeout(timer);
    play.replaceChildren(icon(on ? "pause" : "play"));
    play.setAttribute("aria-label", t(on ? "pause" : "play"));
    if (!on) return;
    if (at >= known.length - 1) at = 0;
    beat();
  }
  async function beat() {
    if (!running || life.ended) return;
    // The next one known may lie behind a gap that was not asked for yet.
    if (known[at] && !followed(known[at])) {
      const here = known[at].id;
      await fetchFrom(known[at].when);
      at = Math.max(0, known.findIndex((one) => one.id === here));
    }
    if (!known[at + 1]) {
      run(false);
      return;
    }
    at += 1;
    // A picture is shown before the next is wanted, however slow the way is.
    await Promise.race([shown(), new Promise((go) => setTimeout(go, 3000))]);
    if (running) timer = setTimeout(beat, 1000 / Number(speed.value));
  }
  function shown() {
    draw();
    return image.decode().catch(() => {});
  }

  let wish = null;
  async function seek() {
    const time = begin + (Number(scrub.value) / 1000) * (end - begin);
    wish = time;
    if (!known.length) return;
    at = nearest(time);
    const near = known[at];
    setText(when, clockExact(time * 1000, calendar.zone));
    if (near) image.src = api.thumbnailOf(near.id, width());
    if (asking) return;
    while (wish !== null && !life.ended) {
      const target = wish;
      wish = null;
      const far = Math.abs(known[nearest(target)].when - target);
      if (known.length < day.photos && far > (end - begin) / 1000) {
        await fetchFrom(target);
        if (life.ended) return;
      }
      at = nearest(target);
      const found = known[at];
      if (found) {
        image.src = api.thumbnailOf(found.id, width());
        setText(when, clockExact(found.when * 1000, calendar.zone));
        scrub.setAttribute("aria-valuetext", when.textContent);
      }
    }
  }
  // Whether what comes right after this photo is known, and not only what comes much later.
  function followed({ when: time }) {
    return spans.some(([from, to]) => from <= time && time < to);
  }
  scrub.addEventListener("input", () => {
    run(false);
    seek();
  });
  life.on(root, "keydown", (event) => {
    if (event.key !== " " || event.target !== scrub) return;
    event.preventDefault();
    run(!running);
  });
  life.add(() => {
    running = false;
    clearTimeout(timer);
  });
  function go(to, again = false) {
    open(to).catch((error) => {
      if (!again) toast(api.because(error), "bad");
      life.later(api.AGAIN, () => day === to && !known.length && go(to, true));
    });
  }
  go(day);
}
