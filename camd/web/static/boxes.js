// Boxes over a photo: drawn in the photo's own pixels, in the colour of their class.

import { svg } from "./dom.js";
import { t } from "./words.js";

const COLOURS = 8;
const FEW = 14;
const ROOMY = 560;
const TEXT = 12;
const LONGEST = 24;
// So far outside a box are its handles, that a small one can be seen.
const OUTSIDE = 5;
const GRIP = 12;
const CORNERS = [[0, 0], [1, 0], [0, 1], [1, 1]];

// A class keeps its colour as long as its place among all classes stays.
export const colourOf = (label, classes) => {
  const at = classes.indexOf(label);
  return at < 0 ? COLOURS - 1 : at % (COLOURS - 1);
};

export const percent = (score) => (score === null || score === undefined ? "" : `${Math.round(score * 100)} %`);

export function describe({ label, score, by, right, fresh }) {
  const words = [label || t("no-class"), percent(score), !right ? t("box-wrong") : by === "person" ? t("box-person") : t("box-model")];
  if (fresh) words.push(t("box-new"));
  return words.filter(Boolean).join(", ");
}

export function overlay() {
  return svg("svg", { class: "boxes", tabindex: -1, preserveAspectRatio: "xMidYMid meet", role: "group", "aria-label": t("boxes") });
}

// Screen pixels in the drawing's units.
export function unitOf(drawing, { width, height }) {
  const wide = drawing.clientWidth || width;
  const high = drawing.clientHeight || height;
  return 1 / Math.min(wide / width, high / height);
}

export function draw(drawing, photo, marks, { selected, classes, editable }) {
  const { width, height } = photo;
  const unit = unitOf(drawing, photo);
  const had = drawing.contains(document.activeElement);
  const many = marks.length > FEW || drawing.clientWidth < ROOMY;
  const out = OUTSIDE * unit;
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.replaceChildren(
    ...marks.map((mark) => {
      const [x, y, w, h] = mark.box;
      const at = { x: x * width, y: y * height, width: w * width, height: h * height };
      const chosen = mark.key === selected;
      const node = svg(
        "g",
        { class: ["mark", mark.by, mark.right ? "" : "wrong", chosen ? "chosen" : ""].join(" "), data: { key: mark.key, colour: colourOf(mark.label, classes) }, tabindex: "0", role: editable ? "button" : "img", "aria-label": describe(mark), "aria-pressed": editable ? String(chosen) : undefined },
        svg("rect", { ...at, class: "under" }),
        svg("rect", { ...at, class: "line" }),
        !mark.right && svg("path", { class: "strike", d: `M${at.x} ${at.y + at.height}L${at.x + at.width} ${at.y}` }),
        mark.fresh && mark.right && svg("circle", { class: "fresh", cx: at.x + at.width, cy: at.y, r: 4.5 * unit }),
        (chosen || (!many && mark.right)) && label(mark, at, width, unit, chosen && editable ? out * 2 : 0),
        chosen && editable && CORNERS.map(([right, low]) => {
          const corner = { cx: at.x + right * at.width + (right ? out : -out), cy: at.y + low * at.height + (low ? out : -out) };
          return [svg("circle", { ...corner, class: "knob", r: 5 * unit }), svg("circle", { ...corner, class: "handle", r: GRIP * unit, data: { right, low } })];
        }),
      );
      return node;
    }),
  );
  // The focus stays with the chosen one, though all were drawn anew.
  if (had && selected !== null) nodeOf(drawing, selected)?.focus({ preventScroll: true });
}

export const nodeOf = (drawing, key) => drawing.querySelector(`[data-key="${key}"]`);

function label(mark, at, width, unit, off) {
  const name = [...(mark.label || t("no-class"))];
  const text = [name.length > LONGEST ? `${name.slice(0, LONGEST - 1).join("")}…` : name.join(""), percent(mark.score)].filter(Boolean).join(" ");
  const size = TEXT * unit;
  const wide = [...text].reduce((sum, letter) => sum + (letter > "\u2e80" ? 1.05 : letter === letter.toLowerCase() ? 0.6 : 0.78), 0.8) * size;
  const high = size * 1.4;
  const x = Math.max(0, Math.min(at.x, width - wide));
  const y = at.y - off > high ? at.y - high - off : at.y + at.height + off;
  return [
    svg("rect", { x, y, width: wide, height: high, class: "label", rx: 2 * unit }),
    svg("text", { x: x + size * 0.4, y: y + size * 1.03, "font-size": size }, text),
  ];
}
