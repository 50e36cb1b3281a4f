// Putting right by hand what a model found: with the keyboard, the mouse or a finger.

import * as api from "./api.js";
import { colourOf, draw, nodeOf, overlay, unitOf } from "./boxes.js";
import { Lifetime, h, icon, setAttr, setText } from "./dom.js";
import { Marks, onPicture } from "./marks.js";
import { saver } from "./saver.js";
import { known, number, t } from "./words.js";

const NEAR = 22;
const LEAST = 6;
const STEP = 0.0025;
// So much farther goes a step while its key is held.
const HELD = 4;
// A box that is drawn by the keyboard has this share of the picture's width, both ways.
const DRAWN = 0.08;
const QUICK = 9;
let lastClass = "";

// *next* is called when a person is through with a photo.
export function annotator({ frame, next }) {
  const life = new Lifetime();
  const control = api.may("control");
  const drawing = overlay();
  const flags = h("p", { class: "flags" });
  const list = h("ul", { class: "classes" });
  const model = h("p", { class: "soft small" });
  const said = h("p", { class: "said", role: "status" });
  const options = h("datalist", { id: "class-names" });
  const input = h("input", { class: "field", id: "class-name", list: "class-names", maxlength: 100, autocomplete: "off", placeholder: t("class-hint"), "aria-label": t("class") });
  const button = (name, word, key, work, kind = "") => h("button", { type: "button", class: `button ${kind}`, title: key ? `${t(word)} (${key})` : t(word), onclick: work }, name && icon(name), h("span", { text: t(word) }));
  const yes = button("check", "confirm", "c", () => act("confirm"));
  const no = button("close", "wrong", "x", () => act("wrong"));
  const pen = button("box", "draw", "b", () => drawMode(!drawing.hasAttribute("data-draw")));
  const back = button("undo", "undo", "u", undo);
  const all = button("check", "all-right", t("key-all"), allRight, "main");
  const tools = h("div", { class: "marking", role: "toolbar", "aria-label": t("correct"), hidden: !control }, yes, no, pen, back, h("span", { class: "pick" }, input, options), all);
  const done = h("input", { type: "checkbox", class: "switch", id: "done", onchange: () => change(() => marks.setDone(done.checked)) });
  const panel = h("section", { class: "found", "aria-label": t("found") },
    h("div", { class: "row spread" }, h("h2", { text: t("found") }), h("label", { class: "row" }, h("span", { class: "soft", text: t("checked") }), done)),
    flags, list, model, said);
  done.disabled = !control;
  frame.append(drawing);

  let photo = null;
  let marks = new Marks(null);
  let tag = "none";
  let model_ = "";
  let selected = null;
  let classes = [];
  let colours = [];
  let drag = null;
  let shownAt = "";
  // What is shown is that; empty while only the numbers of it are known.
  let stamp = "";

  // ---- what is shown

  function show(one) {
    photo = one;
    selected = null;
    take(one.findings);
  }
  // *findings* may be the page's short form while the whole is on its way.
  function take(findings) {
    const whole = findings?.detections ? findings : null;
    stamp = whole || !findings ? stampOf(whole) : "";
    tag = whole?.tag ?? "none";
    model_ = whole?.model ?? "";
    marks = new Marks(whole, saver.unsaved(photo.id));
    flags.replaceChildren(...(findings?.flags ?? []).map((flag) => h("span", { class: "flag" }, icon("alert"), known(`flag-${flag}`, flag))));
    flags.hidden = !findings?.flags?.length;
    setText(said, "");
    state(photo.id, saver.state(photo.id));
    paint();
  }

  function paint() {
    const shown = marks.shown();
    if (!shown.some((one) => one.key === selected)) selected = null;
    const counts = marks.counts();
    const names = [...new Set([...classes, ...counts.keys()])];
    drawing.toggleAttribute("data-many", shown.length > 40);
    colours = [...new Set([...colours, ...names])];
    draw(drawing, photo, shown, { selected, classes: colours, editable: control });
    const here = [...list.children].findIndex((one) => one.contains(document.activeElement));
    list.replaceChildren(
      ...names.filter((name) => control || counts.has(name)).map((name) => {
        const at = names.indexOf(name);
        const count = counts.get(name);
        const what = [h("span", { class: "swatch", data: { colour: colourOf(name, colours) } }), h("span", { class: "name", text: name }), count?.fresh ? h("span", { class: "new", text: t("n-new", { n: count.fresh }) }) : null, h("b", { class: "num", text: number(count?.total ?? 0) })];
        return h("li", { data: count ? {} : { none: "" } }, control
          ? h("button", { type: "button", title: t("choose-class", { name }), onclick: () => classify(name) }, at < QUICK ? h("kbd", { text: at + 1 }) : h("kbd", { text: " " }), what)
          : h("span", {}, what));
      }),
    );
    list.hidden = !list.children.length;
    if (here >= 0) list.children[here]?.querySelector("button")?.focus({ preventScroll: true });
    setText(model, model_ ? t("found-by", { model: model_ }) : shown.length ? "" : marks.done ? t("nothing-on-it") : t("not-looked"));
    model.hidden = !model.textContent;
    options.replaceChildren(...names.map((name) => h("option", { value: name })));
    done.checked = marks.done;
    const mark = selected === null ? null : marks.get(selected);
    yes.disabled = !mark || (mark.by === "person" && mark.right);
    no.disabled = !mark || !mark.right;
    back.disabled = !marks.undoable;
    // What is being typed is not written over.
    if (document.activeElement !== input) input.value = mark?.label ?? lastClass;
    shownAt = `${drawing.clientWidth} ${drawing.clientHeight}`;
  }
  const size = new ResizeObserver(() => photo && shownAt !== `${drawing.clientWidth} ${drawing.clientHeight}` && paint());
  size.observe(drawing);
  life.add(() => size.disconnect());
  api.classes().then(({ classes: all_ }) => {
    colours = all_.map((one) => one.class);
    classes = all_.toSorted((a, b) => b.total - a.total).map((one) => one.class);
    lastClass ||= classes[0] ?? "";
    if (photo && !life.ended) paint();
  }, () => {});

  // ---- what is changed

  function change(work) {
    if (!control) return;
    work();
    saver.put(photo.id, marks.body(), tag);
    paint();
  }
  function act(what, ...values) {
    const mark = selected === null ? null : marks.get(selected);
    if (!mark || !control) return;
    // Who has judged one goes on to the next one that the model found.
    const order = marks.shown();
    const at = order.indexOf(order.find((one) => one.key === selected));
    const rest = [...order.slice(at + 1), ...order.slice(0, at)];
    change(() => marks[what](selected, ...values));
    if (what === "confirm" || what === "wrong") select(rest.find((one) => one.by === "model" && marks.get(one.key))?.key ?? (marks.get(mark.key) ? mark.key : rest.find((one) => marks.get(one.key))?.key ?? null));
    focus(selected);
  }
  function undo() {
    if (marks.undoable) change(() => marks.undo());
  }
  function allRight() {
    if (!control) return;
    change(() => marks.setDone(true));
    next(photo);
  }
  function classify(name) {
    const label = name.trim();
    if (!label) return;
    lastClass = label;
    if (!classes.includes(label)) classes.push(label);
    if (selected !== null && marks.get(selected)?.label !== label) act("classify", label);
    else if (selected !== null && marks.get(selected)?.by === "model") act("confirm");
    else paint();
    focus(selected);
  }
  input.addEventListener("change", () => classify(input.value));
  input.addEventListener("focus", () => input.select());
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      classify(input.value);
      if (selected === null) input.blur();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      focus(selected);
      if (selected === null) input.blur();
    }
  });

  function select(key) {
    if (key === selected) return;
    selected = key;
    paint();
  }
  function focus(key) {
    if (key !== null) nodeOf(drawing, key)?.focus({ preventScroll: true });
  }
  function drawMode(on) {
    drawing.toggleAttribute("data-draw", on && control);
    setAttr(pen, "aria-pressed", String(on && control));
    if (on) select(null);
  }

  // ---- the keyboard

  life.on(drawing, "focusin", (event) => {
    const key = event.target.closest?.(".mark")?.dataset.key;
    if (key) select(key);
  });
  life.on(drawing, "keydown", (event) => {
    if (event.ctrlKey || event.metaKey || (event.altKey && !event.shiftKey) || selected === null) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrow && event.shiftKey) act("place", shifted(marks.get(selected).box, arrow.map((one) => one * STEP * (event.repeat ? HELD : 1)), event.altKey));
    else if (arrow) step(arrow[0] + arrow[1]);
    else if (event.key === "Enter" && !event.shiftKey) act("confirm");
    else if (event.key === "Delete" || event.key === "Backspace") act("wrong");
    else if (event.key === "Escape") {
      select(null);
      document.activeElement.blur();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const shifted = ([x, y, w, h_], [right, down], size) => (size ? [x, y, w + right, h_ + down] : [x + right, y + down, w, h_]);
  function step(by) {
    const keys = marks.shown().map((one) => one.key);
    focus(keys[(keys.indexOf(selected) + by + keys.length) % keys.length]);
  }
  // What is typed anywhere on the page; whether it was meant for here.
  function key(event) {
    if (!control) return false;
    if (event.key === "Enter" && event.shiftKey) allRight();
    else if (event.key === "Enter" && drawing.hasAttribute("data-draw") && [pen, document.body].includes(event.target)) drawInMiddle();
    else if (event.shiftKey) return false;
    else if (event.key === "b") drawMode(!drawing.hasAttribute("data-draw"));
    else if (event.key === "u") undo();
    else if (event.key === "c") act("confirm");
    else if (event.key === "x") act("wrong");
    else if (event.key === "t") input.focus();
    else if (/^[1-9]$/.test(event.key)) {
      const name = list.children[Number(event.key) - 1]?.querySelector(".name");
      if (name) classify(name.textContent);
    } else if (event.key === "Escape" && (drawing.hasAttribute("data-draw") || selected !== null)) {
      drawMode(false);
      select(null);
    } else return false;
    return true;
  }

  // To be moved and sized from there.
  function drawInMiddle() {
    const high = Math.min(1, (DRAWN * photo.width) / photo.height);
    drawMode(false);
    added([(1 - DRAWN) / 2, (1 - high) / 2, DRAWN, high]);
  }
  function added(box) {
    change(() => (selected = marks.add(box, lastClass)));
    focus(selected);
    if (!lastClass) input.focus();
  }

  // ---- the mouse and the finger

  // Where on the picture, as shares of it, that is.
  function place(event) {
    const matrix = drawing.getScreenCTM();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    return [at.x / photo.width, at.y / photo.height];
  }
  // The smallest box around that place, else the nearest one.
  function at([x, y]) {
    const near = NEAR * unitOf(drawing, photo);
    let best = null;
    for (const mark of marks.shown()) {
      const [left, top, wide, high] = mark.box;
      const beside = Math.hypot(Math.max(left - x, 0, x - left - wide) * photo.width, Math.max(top - y, 0, y - top - high) * photo.height);
      const rank = beside ? 1e9 + beside : wide * high;
      if (beside <= near && (!best || rank < best.rank)) best = { mark, rank };
    }
    return best?.mark ?? null;
  }
  life.on(drawing, "pointerdown", (event) => {
    if (event.button || !photo || !event.isPrimary) return;
    const from = place(event);
    if (drawing.hasAttribute("data-draw")) drag = { from, what: "draw" };
    else {
      const handle = event.target.closest?.(".handle");
      const mark = handle ? marks.get(selected) : at(from);
      const moving = control && mark && mark.key === selected;
      if (handle && control) {
        const [x, y, w, h_] = mark.box;
        const [right, low] = [handle.dataset.right === "1", handle.dataset.low === "1"];
        // The handle is beside its corner, and stays so.
        drag = { from: [right ? x : x + w, low ? y : y + h_], what: "size", off: [from[0] - (right ? x + w : x), from[1] - (low ? y + h_ : y)] };
      } else if (moving) drag = { from, what: "move", box: mark.box };
      else {
        select(mark?.key ?? null);
        if (mark) focus(mark.key);
        else if (document.activeElement?.closest?.(".boxes")) document.activeElement.blur();
        event.preventDefault();
        return;
      }
    }
    event.preventDefault();
    drawing.setPointerCapture(event.pointerId);
  });
  function dragged(event) {
    const to = place(event).map((one, side) => Math.min(1, Math.max(0, one - (drag.off?.[side] ?? 0))));
    if (drag.what === "move") return [drag.box[0] + to[0] - drag.from[0], drag.box[1] + to[1] - drag.from[1], drag.box[2], drag.box[3]];
    const [x, y] = [0, 1].map((one) => Math.min(to[one], drag.from[one]));
    return [x, y, Math.abs(to[0] - drag.from[0]), Math.abs(to[1] - drag.from[1])];
  }
  const large = (box) => Math.max(box[2] * photo.width, box[3] * photo.height) >= LEAST * unitOf(drawing, photo);
  const moved = (box) => Math.hypot((box[0] - drag.box[0]) * photo.width, (box[1] - drag.box[1]) * photo.height) > 3 * unitOf(drawing, photo);
  life.on(drawing, "pointermove", (event) => {
    if (!drag) return;
    drag.now = onPicture(dragged(event));
    const key = drag.what === "draw" ? "drawn" : selected;
    const shown = marks.shown().filter((one) => one.key !== key);
    const mark = drag.what === "draw" ? { key, label: lastClass, by: "person", right: true, score: null, fresh: false } : marks.get(key);
    draw(drawing, photo, [...shown, { ...mark, box: drag.now }], { selected: key, classes: colours, editable: false });
  });
  life.on(drawing, "pointerup", (event) => {
    if (!drag) return;
    const box = dragged(event);
    const was = drag;
    if (was.what === "draw" && large(box)) added(box);
    else if (was.what === "size" && large(box)) act("place", box);
    else if (was.what === "move" && moved(box)) act("place", box);
    else paint();
    drag = null;
  });
  life.on(drawing, "pointercancel", () => {
    drag = null;
    paint();
  });

  // ---- how the saving goes

  function state(id, name, what) {
    if (id !== photo?.id) return;
    setAttr(said, "data-kind", { saved: "good", waiting: "bad", failed: "bad", conflict: "bad" }[name]);
    if (name === "conflict") {
      said.replaceChildren(t("said-conflict"), " ",
        h("button", { type: "button", class: "button small", text: t("keep-mine"), onclick: () => saver.settle(id, true) }), " ",
        h("button", { type: "button", class: "button small", text: t("take-theirs"), onclick: () => saver.settle(id, false) }));
    } else if (name === "theirs") reread();
    else setText(said, name ? [t(`said-${name}`), what instanceof Error ? api.because(what) : ""].filter(Boolean).join(" ") : "");
  }
  async function reread() {
    const before = stamp;
    const one = await api.photo(photo.id).catch(() => null);
    // What was saved meanwhile is newer than this answer may be.
    if (!one || one.id !== photo.id || life.ended || saver.unsaved(photo.id) || stamp !== before || stamp === stampOf(one.findings)) return;
    Object.assign(photo, one);
    take(one.findings);
  }
  life.add(
    saver.listen((id, name, what) => {
      if (id === photo?.id && name === "saved") {
        tag = what.tag;
        stamp = stampOf(what);
        photo.findings = what;
      }
      state(id, name, what);
    }),
  );

  return {
    tools, panel, show, key, reread,
    end: () => life.end(),
    // Whether a finger on the picture is at work, and does not turn the page.
    busy: () => drag !== null || drawing.hasAttribute("data-draw") || selected !== null,
  };
}

const stampOf = (findings) => `${findings?.tag ?? "none"} ${findings?.looked ?? 0}`;
