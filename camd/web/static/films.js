// Photos become a video, made by camd itself: asked for here, watched in the making, and kept a
// while. Whoever reloads the page finds them again.

import * as api from "./api.js";
import { dayTitle } from "./gallery.js";
import { h, icon, setAttr, setText } from "./dom.js";
import { toast } from "./toast.js";
import { bytes, moment, number, span, t } from "./words.js";

const LOOK = 1000;
const LENGTHS = [10, 20, 30, 60, 120];
const STRETCHES = [60, 600, 3600, 86400];
const RATES = [5, 10, 15, 25, 30];

// What is returned is told which day is shown.
export function films(root, id, life, calendar) {
  const list = h("ul", { class: "films" });
  const rows = new Map();
  const days = (label) =>
    h("select", { class: "field", "aria-label": label },
      calendar.days.toReversed().map((one) => h("option", { value: one.day, text: dayTitle(one.day, calendar.night) })));
  const first = days(t("video-from"));
  const last = days(t("video-to"));
  // How long it lasts, or which photos it shows: one comes of the other.
  const length = h("select", { class: "field", id: "video-length" },
    LENGTHS.map((n) => h("option", { value: n, text: span(n), selected: n === 30 })),
    STRETCHES.map((n) => h("option", { value: `every-${n}`, text: each(n) })), h("option", { value: "", text: t("video-all") }));
  const rate = h("select", { class: "field", id: "video-rate" }, RATES.map((n) => h("option", { value: n, text: String(n), selected: n === 25 })));
  const tick = (name, checked) => h("input", { type: "checkbox", class: "switch", role: "switch", id: `video-${name}`, checked });
  const date = tick("date", true);
  const skip = tick("skip", true);
  const time = (props) => h("input", { type: "time", class: "field", ...props });
  const begin = time({ id: "video-hours" });
  const end = time({ "aria-label": t("video-hours-to") });
  const make = h("button", { type: "submit", class: "button main" }, icon("play"), h("span", { text: t("video-make") }));
  const row = (name, control) => h("div", { class: "row" }, h("label", { for: `video-${name}`, text: t(`video-${name}`) }), control);
  const form = h("form", { class: "make", onsubmit: ask },
    h("div", { class: "span" }, first, h("span", { class: "soft", text: "–" }), last),
    row("length", length), row("rate", rate),
    row("hours", h("span", { class: "times" }, begin, h("span", { class: "soft", text: "–" }), end)),
    row("date", date), row("skip", skip), make);
  const note = h("p", { class: "bad", role: "status", hidden: true });
  root.append(
    h("section", { class: "videos panel", "aria-label": t("videos") },
      h("h2", { text: t("videos") }), api.may("control") && form, note, list),
  );

  async function ask(event) {
    event.preventDefault();
    const [from, to] = [first.value, last.value].toSorted();
    const day = (name) => calendar.days.find((one) => one.day === name);
    make.disabled = true;
    try {
      const wish = { since: day(from).since, until: day(to).until, fps: Number(rate.value), date: date.checked, skip_dark: skip.checked };
      const [, every] = length.value.split("every-");
      if (every) wish.every = Number(every);
      else if (length.value) wish.length = Number(length.value);
      const [dawn, dusk] = [begin.value || "00:00", end.value || "24:00"];
      if ((begin.value || end.value) && dawn !== dusk) wish.day_only = `${dawn}-${dusk}`;
      await api.makeFilm(id, wish);
      await look();
    } catch (error) {
      toast(api.because(error), "bad");
    } finally {
      make.disabled = false;
    }
  }

  let timer = 0;
  async function look() {
    clearTimeout(timer);
    let found;
    try {
      found = (await api.films(id)).timelapses;
      note.hidden = true;
    } catch (error) {
      found = null;
      note.hidden = false;
      setText(note, api.because(error));
    }
    if (life.ended) return;
    if (found) draw(found);
    if (!found || found.some((one) => one.state === "waiting" || one.state === "running")) timer = setTimeout(look, LOOK);
  }
  function draw(found) {
    for (const [film, item] of rows)
      if (!found.some((one) => one.id === film)) {
        item.node.remove();
        rows.delete(film);
      }
    for (const film of found.toReversed()) {
      if (!rows.has(film.id)) {
        rows.set(film.id, item(film));
        list.prepend(rows.get(film.id).node);
      }
      rows.get(film.id).update(film);
    }
  }

  function item(film) {
    const { since, until, every, day_only: hours } = film.wish;
    const when = (at) => (at === null ? "…" : moment(at * 1000, calendar.zone));
    const state = h("p", { class: "soft", role: "status" });
    const bar = h("progress", { max: 1, "aria-label": t("video-making") });
    const screen = h("div", {});
    const save = h("a", { class: "button", href: api.videoOf(id, film.id, true), download: "", hidden: true }, icon("download"), h("span", { text: t("download") }));
    const drop = h("button", { type: "button", class: "button square", onclick: remove, hidden: !api.may("control") });
    const node = h("li", {},
      h("div", { class: "head" }, h("strong", { text: [`${when(since)} – ${when(until)}`, hours, every && each(every)].filter(Boolean).join(" · ") }), h("span", { class: "push" }), save, drop),
      bar, state, screen);

    async function remove() {
      drop.disabled = true;
      try {
        await api.dropFilm(id, film.id);
        await look();
      } catch (error) {
        drop.disabled = false;
        toast(api.because(error), "bad");
      }
    }
    function update(now) {
      const before = node.dataset.state;
      setAttr(node, "data-state", now.state);
      const under = now.state === "waiting" || now.state === "running";
      bar.hidden = !under;
      if (before !== now.state) {
        drop.replaceChildren(icon(under ? "close" : "trash"));
        for (const name of ["aria-label", "title"]) setAttr(drop, name, t(under ? "video-cancel" : "video-drop"));
      }
      if (now.total) bar.value = now.done / now.total;
      save.hidden = now.state !== "done";
      setText(state, says(now));
      if (now.state === "done" && !screen.firstChild) {
        const [width, height] = now.made.size;
        screen.append(h("video", { controls: true, playsinline: true, preload: "metadata", width, height, src: api.videoOf(id, film.id) }));
      }
    }
    return { node, update };
  }

  function each(seconds) {
    return t("video-each", { span: span(seconds) });
  }
  function says(film) {
    if (film.state === "failed") return film.why;
    if (film.state === "waiting") return t("video-waits");
    if (film.state === "running") return film.total ? t("video-at", { n: film.done, total: number(film.total) }) : t("video-counts");
    const out = Object.values(film.made.left_out).reduce((sum, n) => sum + n, 0);
    const said = [t("photos", { n: film.made.photos }), span(Math.round(film.made.seconds)), film.made.size.join(" × "), bytes(film.made.bytes)];
    if (out) said.splice(1, 0, t("video-left-out", { n: out }));
    return said.join(" · ");
  }

  life.add(() => clearTimeout(timer));
  look();
  return (day) => {
    first.value = day.day;
    last.value = day.day;
  };
}
