// One photo, whole, with what is known of it and what was found in it.

import * as api from "./api.js";
import { annotator } from "./annotate.js";
import { fleet } from "./fleet.js";
import { Lifetime, h, icon, setAttr } from "./dom.js";
import { wayOf } from "./gallery.js";
import { download, remove, star } from "./actions.js";
import { notes, saver } from "./saver.js";
import { toast } from "./toast.js";
import { bytes, clockExact, fullMoment, known, number, t } from "./words.js";

const AROUND = 12;

export async function photoPage(root, [id]) {
  const life = new Lifetime();
  const began = performance.now();
  let photo = await api.photo(id);
  if (life.ended) return life;
  const camera = photo.camera;
  const days = await api.days(camera).catch(() => null);
  photo.findings = saver.savedSince(id, began) ?? photo.findings;
  const zone = days?.timezone;
  const image = h("img", { alt: "" });
  const frame = h("div", { class: "frame" }, image);
  const before = h("button", { type: "button", class: "turn before", "aria-label": t("newer"), onclick: () => turn(-1) }, icon("left"));
  const after = h("button", { type: "button", class: "turn after", "aria-label": t("older"), onclick: () => turn(1) }, icon("right"));
  const strip = h("div", { class: "strip", role: "group", "aria-label": t("filmstrip") });
  const heading = h("h1", {});
  const list = h("dl", {});
  const starButton = h("button", { type: "button", class: "button", onclick: toggle }, icon("star"), h("span", {}));
  const note = h("textarea", { class: "field", id: "note", maxlength: 4000, placeholder: t("note-hint"), dir: "auto", oninput: () => notes.put(photo.id, note.value, photo.note) });
  const noteSaid = h("p", { class: "said", role: "status" });
  const back = h("a", { class: "button plain square", href: `#/camera/${encodeURIComponent(camera)}/photos`, "aria-label": t("to-camera", { camera }) }, icon("left"));
  const save = h("a", { class: "button", download: true }, icon("download"), h("span", { text: t("download") }));
  const boxesButton = h("button", { type: "button", class: "button", "aria-pressed": "true", onclick: () => setAttr(boxesButton, "aria-pressed", String(!frame.toggleAttribute("data-bare"))) }, icon("box"), h("span", { text: t("boxes") }));
  const correct = annotator({ frame, next: nextUnchecked });
  life.add(correct.end);
  const control = api.may("control");
  root.append(
    h("div", { class: "head" }, back, heading),
    h(
      "div",
      { class: "photo" },
      h("div", { class: "stage" }, frame, before, after),
      h("div", { class: "film" }, correct.tools, strip),
      h(
        "aside",
        { class: "details panel", "aria-label": t("about-photo") },
        h("div", { class: "row" }, control && starButton, save, control && h("button", { type: "button", class: "button danger", onclick: drop }, icon("trash"), h("span", { text: t("delete") })), boxesButton),
        correct.panel,
        list,
        control && h("div", {}, h("label", { for: "note", class: "soft", text: t("note") }), note, noteSaid),
        h("p", { class: "keys" }, [["← →", "key-turn"], ["s", "star"], ["d", "download"], [t("key-delete"), "delete"], ["n", "note"], ["Esc", "back"], ...(control ? [["Tab", "key-boxes"], ["c", "confirm"], ["x", "wrong"], ["1…9 t", "class"], ["b Enter", "draw"], [t("key-move"), "key-moved"], [t("key-size"), "key-sized"], ["u", "undo"], [t("key-all"), "all-right"]] : [])].map(([key, word]) => h("span", {}, h("kbd", { text: key }), " ", t(word)))),
      ),
    ),
  );

  let around = [];
  let asked = 0;
  const through = new Set();

  function show(one) {
    photo = one;
    document.title = `${clockExact(photo.when * 1000, zone)} · ${camera} · camd`;
    const address = `#/photo/${encodeURIComponent(photo.id)}`;
    if (location.hash !== address) history.replaceState(null, "", address);
    heading.replaceChildren(`${camera} `, h("span", { class: "soft" }, fullMoment(photo.when * 1000, zone)));
    image.alt = t("photo-of", { camera, when: fullMoment(photo.when * 1000, zone) });
    image.src = api.imageOf(photo.id);
    if (photo.width && photo.height) frame.style.aspectRatio = `${photo.width} / ${photo.height}`;
    correct.show(photo);
    // A page of photos has only the numbers of what is on each.
    if (photo.findings && !photo.findings.detections) correct.reread();
    save.href = api.downloadOf(photo.id);
    save.setAttribute("download", photo.path.split("/").pop());
    noted(photo.id, notes.state(photo.id));
    describe();
    marks();
    film();
  }

  function describe() {
    const rows = [
      ["taken", fullMoment(photo.when * 1000, zone)],
      Math.abs(photo.received - photo.when) > 2 && ["received", fullMoment(photo.received * 1000, zone)],
      photo.trigger && ["trigger", known(`trigger-${photo.trigger}`, photo.trigger)],
      ["pixels", `${photo.width} × ${photo.height}`],
      ["size", `${bytes(photo.size)} (${number(photo.size)} B)`],
      ["door", known(`protocol-${photo.door}`, photo.door)],
      ["boot", photo.boot, "mono"],
      ["seq", String(photo.seq), "mono"],
      ["crc", photo.crc, "mono"],
      ["path", photo.path, "mono"],
    ];
    list.replaceChildren(...rows.filter(Boolean).flatMap(([name, text, kind]) => [h("dt", { text: t(`photo-${name}`) }), h("dd", { text, class: kind })]));
  }

  function marks() {
    starButton.classList.toggle("starred", photo.starred);
    starButton.setAttribute("aria-pressed", String(photo.starred));
    starButton.lastChild.textContent = t(photo.starred ? "starred" : "star");
  }

  // The neighbours: some newer, some older, within what was looked at before.
  async function look() {
    const mine = ++asked;
    const way = wayOf.get(camera) ?? { camera };
    const inside = way.since === undefined || (photo.when >= way.since && photo.when < way.until) ? way : { camera };
    // A bound may stand on this very photo's second: others of the same moment are in both halves.
    const [older, newer] = await Promise.all([
      api.photos({ ...inside, until: photo.when + 0.001, limit: AROUND * 2, order: "newest" }),
      api.photos({ ...inside, since: photo.when, limit: AROUND * 2, order: "oldest" }),
    ]).catch(() => [null, null]);
    if (mine !== asked || life.ended) return;
    if (!older) {
      life.later(api.AGAIN, () => mine === asked && look());
      return;
    }
    const seen = new Map();
    for (const one of [...newer.photos.toReversed(), photo, ...older.photos]) seen.set(one.id, one);
    around = [...seen.values()].sort((a, b) => b.when - a.when || b.seq - a.seq);
    film();
  }

  function film() {
    const at = around.findIndex((one) => one.id === photo.id);
    before.disabled = at <= 0;
    after.disabled = at < 0 || at >= around.length - 1;
    const have = new Map([...strip.children].map((node) => [node.dataset.id, node]));
    strip.replaceChildren(
      ...around.map((one) => {
        const link = have.get(one.id) ?? h("a", { href: `#/photo/${encodeURIComponent(one.id)}`, data: { id: one.id }, "aria-label": clockExact(one.when * 1000, zone), title: clockExact(one.when * 1000, zone), onclick: (event) => (event.preventDefault(), to(one)) }, h("img", { src: api.thumbnailOf(one.id), alt: "", loading: "lazy" }));
        setAttr(link, "aria-current", one.id === photo.id ? "true" : null);
        // One stop on the way with Tab: the arrows turn.
        setAttr(link, "tabindex", one.id === photo.id ? null : -1);
        return link;
      }),
    );
    const current = strip.querySelector("[aria-current]");
    if (current) strip.scrollLeft = current.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + 40;
    for (const one of [around[at - 1], around[at + 1]]) if (one) new Image().src = api.imageOf(one.id);
  }

  function to(one) {
    show(one);
    const at = around.indexOf(one);
    if (at < 0 || at < 4 || at > around.length - 5) look();
  }
  function turn(by) {
    const one = around[around.findIndex((other) => other.id === photo.id) + by];
    if (one) to(one);
  }

  // The next one further back that no person has been through yet, then those that are newer.
  async function nextUnchecked(from) {
    const way = { ...(wayOf.get(camera) ?? { camera }), done: false, limit: 5 };
    for (const more of [{ until: from.when + 0.001, order: "newest" }, { since: from.when, order: "oldest" }]) {
      const asked = { ...way, ...more, until: Math.min(more.until ?? Infinity, way.until ?? Infinity), since: Math.max(more.since ?? 0, way.since ?? 0) };
      if (!Number.isFinite(asked.until)) delete asked.until;
      const page = await api.photos(asked).catch((error) => (toast(api.because(error), "bad"), null));
      if (!page || life.ended || photo.id !== from.id) return;
      const one = page.photos.find((other) => other.id !== from.id && !through.has(other.id));
      if (one) {
        through.add(from.id);
        to(around.find((other) => other.id === one.id) ?? one);
        return;
      }
    }
    toast(t("all-checked"));
  }

  async function toggle() {
    const one = photo;
    const work = star(one);
    if (one === photo) marks();
    await work;
    if (one === photo) marks();
  }
  async function drop() {
    const gone = photo;
    if (!(await remove(gone, zone))) return;
    const at = around.findIndex((one) => one.id === gone.id);
    around = around.filter((one) => one.id !== gone.id);
    const next = around[Math.min(Math.max(at, 0), around.length - 1)];
    if (next) to(next);
    else location.hash = back.getAttribute("href");
  }
  // How the saving of the note goes; what is typed here and not saved yet is not written over.
  function noted(one, state, what) {
    if (state === "saved") for (const each of [photo, ...around]) if (each.id === one) each.note = what.tag;
    if (one !== photo.id) return;
    const text = notes.unsaved(one) ?? photo.note;
    if (note.value !== text) note.value = text;
    setAttr(noteSaid, "data-kind", { saved: "good", waiting: "bad", failed: "bad", conflict: "bad" }[state]);
    if (state === "theirs") refresh();
    else if (state === "conflict") conflict(one);
    else noteSaid.textContent = state ? [t(`said-${state}`), what instanceof Error ? api.because(what) : ""].filter(Boolean).join(" ") : "";
  }
  async function conflict(one) {
    const theirs = await api.photo(one).catch(() => null);
    if (one !== photo.id || notes.state(one) !== "conflict") return;
    const answer = (word, mine) => h("button", { type: "button", class: "button small", text: t(word), onclick: () => (notes.settle(one, mine), note.focus()) });
    noteSaid.replaceChildren(t("said-conflict"), " ", theirs ? h("q", { text: theirs.note, dir: "auto" }) : "", " ", answer("keep-mine", true), " ", answer("take-theirs", false));
  }
  life.add(notes.listen(noted));
  async function refresh() {
    const now = await api.photo(photo.id).catch(() => null);
    if (!now || now.id !== photo.id || life.ended) return;
    const { findings: _, ...rest } = now;
    changed(rest);
    correct.reread();
  }
  function changed(rest) {
    for (const one of [photo, ...around]) if (one.id === rest.id) Object.assign(one, rest);
    if (rest.id !== photo.id) return;
    marks();
    if (notes.unsaved(photo.id) === null && note.value !== photo.note) note.value = photo.note;
  }

  life.on(document, "keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (/INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (correct.key(event)) {
      event.preventDefault();
      return;
    }
    const act = { ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), d: () => download(photo), Escape: () => (location.hash = back.getAttribute("href")) };
    if (control) Object.assign(act, { s: toggle, Delete: drop, n: () => note.focus() });
    if (!act[event.key]) return;
    event.preventDefault();
    act[event.key]();
  });
  let x = null;
  life.on(frame, "touchstart", (event) => (x = event.touches.length === 1 ? event.touches[0].clientX : null), { passive: true });
  life.on(frame, "touchend", (event) => {
    const moved = x === null ? 0 : event.changedTouches[0].clientX - x;
    if (Math.abs(moved) > 50 && !correct.busy()) turn(moved > 0 ? -1 : 1);
  }, { passive: true });
  life.add(
    fleet.onItem((kind, what) => {
      if (kind === "found" && what.photo === photo.id) correct.reread();
      if (kind === "gap") {
        refresh();
        look();
      }
      if (kind !== "change") return;
      const { findings, ...rest } = what;
      changed(rest);
      if (what.id === photo.id && findings) correct.reread();
    }),
  );
  fleet.ready().catch(() => {});
  show(photo);
  look();
  return life;
}
