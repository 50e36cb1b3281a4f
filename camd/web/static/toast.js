// A line at the bottom that goes by itself; screen readers hear it.

import { h } from "./dom.js";

const STAY = 4000;
const STAY_BAD = 8000;
let place = null;

export function toast(text, kind = "", undo = null) {
  place ??= document.querySelector(".toasts");
  const node = h("div", { class: "toast", data: { kind } }, h("span", { text }));
  const end = () => node.remove();
  if (undo)
    node.append(h("button", { type: "button", text: undo.label, onclick: () => (end(), undo.work()) }));
  place.append(node);
  while (place.children.length > 3) place.firstChild.remove();
  setTimeout(end, kind === "bad" ? STAY_BAD : STAY);
}
