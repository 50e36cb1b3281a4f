// Which of a camera's photos are shown, by what is on them.

import * as api from "./api.js";
import { h, icon, setAttr } from "./dom.js";
import { known, number, t } from "./words.js";

// *changed* is called when something else is chosen; *values* is what the API asks for.
export function filters(camera, life, before, changed) {
  let { class: label, least = 1, flag, done } = before ?? {};
  const what = h("select", { class: "field", "aria-label": t("on-photo"), onchange: () => {
    const [kind, name] = [what.value.slice(0, 1), what.value.slice(1)];
    label = kind === "c" ? name : undefined;
    flag = kind === "f" ? name : undefined;
    paint();
    changed();
  } });
  const many = h("input", { class: "field", type: "number", min: 1, max: 9999, value: least, inputmode: "numeric", onchange: () => {
    least = Math.max(1, Math.round(Number(many.value)) || 1);
    many.value = least;
    changed();
  } });
  const few = h("label", { class: "row least" }, h("span", { class: "soft", text: t("at-least") }), many);
  const open = h("button", { type: "button", class: "button", onclick: () => {
    done = done === undefined ? false : undefined;
    paint();
    changed();
  } }, icon("eye"), h("span", { text: t("unchecked") }));
  const node = h("div", { class: "tools found-tools" }, what, few, open);

  function paint() {
    few.hidden = label === undefined;
    setAttr(open, "aria-pressed", String(done === false));
  }
  async function fill() {
    const [classes, flags] = await Promise.all([api.classes(), api.flags(camera)]).catch(() => [{ classes: [] }, { flags: {} }]);
    if (life.ended) return;
    const there = classes.classes.filter((one) => one.total || one.class === label).map((one) => one.class);
    const bad = Object.entries(flags.flags).sort((a, b) => b[1] - a[1]);
    if (flag && !(flag in flags.flags)) bad.push([flag, 0]);
    what.replaceChildren(
      h("option", { value: "", text: t("whatever") }),
      there.length ? h("optgroup", { label: t("with") }, there.map((name) => h("option", { value: `c${name}`, text: name, selected: name === label }))) : "",
      bad.length ? h("optgroup", { label: t("flagged") }, bad.map(([name, n]) => h("option", { value: `f${name}`, text: `${known(`flag-${name}`, name)} (${number(n)})`, selected: name === flag }))) : "",
    );
    what.hidden = !there.length && !bad.length;
  }
  what.hidden = true;
  paint();
  fill();
  return { node, values: () => ({ class: label, least: label === undefined || least < 2 ? undefined : least, flag, done }) };
}
