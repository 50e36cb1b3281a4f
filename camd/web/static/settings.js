// A camera's settings. A value counts when the board has confirmed it; until then it is a wish.

import * as api from "./api.js";
import { fleet } from "./fleet.js";
import { h, icon, setAttr, setText } from "./dom.js";
import { known, number, span, t } from "./words.js";

// In the order of a person's questions: is it sharp, bright, the right way round, how often.
const GROUPS = [
  ["picture", ["framesize", "quality", "brightness", "contrast", "saturation", "sharpness", "special_effect"]],
  ["light", ["flash", "led_intensity", "lamp", "autolamp"]],
  ["turn", ["hmirror", "vflip"]],
  ["schedule", ["interval", "sleep", "awake", "order", "stat", "warmup", "min_frame_time"]],
  ["exposure", ["aec", "aec2", "ae_level", "aec_value", "agc", "agc_gain", "gainceiling"]],
  ["white", ["awb", "awb_gain", "wb_mode"]],
  ["sensor", ["dcw", "bpc", "wpc", "raw_gma", "lenc", "colorbar"]],
];
const OPEN = new Set(["picture", "light", "turn", "schedule"]);
// What one setting makes idle: [the one, its value].
const IDLE = {
  aec_value: ["aec", 1],
  agc_gain: ["agc", 1],
  gainceiling: ["agc", 0],
  wb_mode: ["awb", 0],
};
const SIZES = { qqvga: "160×120", qvga: "320×240", cif: "400×296", hvga: "480×320", vga: "640×480", svga: "800×600", xga: "1024×768", hd: "1280×720", sxga: "1280×1024", uxga: "1600×1200", qcif: "176×144", hqvga: "240×176", "96x96": "96×96", "240x240": "240×240" };
const NAMED = { special_effect: 7, wb_mode: 5, gainceiling: 7 };
const CALM = 350;

export function settingsPanel(id, life) {
  const note = h("div", { class: "notice", hidden: true }, icon("alert"), h("span", {}));
  const body = h("div", {});
  const panel = h("section", { class: "settings panel", "aria-label": t("tab-settings") }, h("h2", {}, icon("sliders"), t("tab-settings")), note, body);
  const rows = new Map();
  let values = {};
  let why = null;

  async function load() {
    let said;
    try {
      said = await api.settings(id);
    } catch (error) {
      if (life.ended) return;
      note.hidden = false;
      note.lastChild.textContent = api.because(error);
      life.later(api.AGAIN, load);
      return;
    }
    if (life.ended) return;
    values = said.settings;
    why = api.may("control") ? said.why ?? (fleet.get(id)?.connected ? null : t("not-connected")) : t("may-not");
    if (!rows.size) build(said.offered);
    refresh();
  }

  function build(offered) {
    const left = new Map(offered.map((one) => [one.name, one]));
    const groups = GROUPS.map(([name, members]) => [name, members.filter((one) => left.has(one))]);
    const placed = new Set(groups.flatMap(([, members]) => members));
    groups.push(["other", [...left.keys()].filter((one) => !placed.has(one))]);
    for (const [name, members] of groups) {
      if (!members.length) continue;
      body.append(
        h(
          "details",
          { open: OPEN.has(name) },
          h("summary", { text: t(`settings-${name}`) }),
          members.map((one) => {
            const row = makeRow(left.get(one), apply);
            rows.set(one, row);
            return row.node;
          }),
        ),
      );
    }
  }

  function refresh() {
    note.hidden = !why;
    setText(note.lastChild, why ?? "");
    for (const [name, row] of rows) {
      const [other, value] = IDLE[name] ?? [];
      row.able(!why && !(other && other in values && Number(values[other]) === value));
      if (!row.busy) row.show(values[name]);
    }
  }

  async function apply(name, value) {
    const row = rows.get(name);
    row.busy = true;
    row.say(t("asking-board"), "");
    try {
      const said = await api.command(id, "set", { settings: { [name]: value } });
      values = { ...values, [name]: value };
      row.say(said.state === "done" ? t("confirmed") : "", "good");
    } catch (error) {
      row.say(api.because(error), "bad");
    } finally {
      row.busy = false;
      refresh();
    }
  }

  let connected = fleet.get(id)?.connected;
  let confirmed = JSON.stringify(fleet.get(id)?.said.settings);
  life.add(
    fleet.listen((changed) => {
      const camera = changed.has(id) && fleet.get(id);
      if (!camera) return;
      const now = JSON.stringify(camera.said.settings);
      if (camera.connected === connected && now === confirmed) return;
      connected = camera.connected;
      confirmed = now;
      load();
    }),
  );
  load();
  return panel;
}

function makeRow(setting, apply) {
  const { name, kind } = setting;
  const label = known(`set-${name}`, name);
  const said = h("p", { class: "said", role: "status" });
  const figure = h("output", { for: `set-${name}` });
  const isFlag = kind === "flag" || (kind === "number" && setting.least === 0 && setting.most === 1);
  let control;
  let timer = 0;
  const change = (value) => {
    clearTimeout(timer);
    timer = setTimeout(() => apply(name, value), CALM);
  };
  const names = NAMED[name];
  if (isFlag) {
    control = h("input", { id: `set-${name}`, type: "checkbox", class: "switch", role: "switch", onchange: () => (delete control.dataset.unset, apply(name, control.checked ? 1 : 0)) });
  } else if (kind === "choice" || names) {
    const values = kind === "choice" ? setting.choices : Array.from({ length: names }, (_, at) => String(at));
    control = h("select", { id: `set-${name}`, class: "field", onchange: () => apply(name, kind === "choice" ? control.value : Number(control.value)) },
      h("option", { value: "", text: "–", disabled: true, hidden: true }),
      values.map((value) => h("option", { value, text: optionText(name, value) })));
  } else if (name === "interval" || setting.most - setting.least > 5000) {
    control = h("input", { id: `set-${name}`, type: "number", class: "field", min: setting.least, max: setting.most, step: setting.step ?? "any", inputmode: "decimal", placeholder: t("not-set"),
      onchange: () => control.value !== "" && (control.checkValidity() ? apply(name, Number(control.value)) : row.say(t("from-to", { least: number(setting.least), most: number(setting.most) }), "bad")) });
  } else {
    control = h("input", { id: `set-${name}`, type: "range", min: setting.least, max: setting.most, step: setting.step ?? 1,
      oninput: () => (delete control.dataset.unset, setText(figure, figureOf(name, control.value))), onchange: () => change(Number(control.value)) });
  }
  const hint = known(`hint-${name}`, "");
  const node = h("div", { class: "setting" }, h("label", { for: `set-${name}`, text: label, title: hint }), control.type === "range" ? figure : control, control.type === "range" && control, said);
  const row = {
    node,
    busy: false,
    able: (can) => (control.disabled = !can),
    say(text, tone) {
      setText(said, text);
      setAttr(said, "data-kind", tone || null);
      if (tone === "good") setTimeout(() => said.dataset.kind === "good" && setText(said, ""), 5000);
    },
    show(value) {
      const unset = value === undefined;
      if (document.activeElement === control && control.type === "number") return;
      if (isFlag) {
        control.checked = !unset && Number(value) !== 0;
        setAttr(control, "data-unset", unset ? "" : null);
        setAttr(control, "aria-description", unset ? t("not-set") : null);
      } else if (control.type === "range") {
        control.value = unset ? middle(setting) : value;
        setAttr(control, "data-unset", unset ? "" : null);
        setText(figure, unset ? t("not-set") : figureOf(name, value));
      } else control.value = unset ? "" : String(value);
    },
  };
  return row;
}

const middle = ({ name, least, most }) => (name === "quality" ? 12 : least < 0 ? 0 : least + Math.round((most - least) / 2));

function figureOf(name, value) {
  if (name === "quality") return value < 10 ? `${value} · ${t("quality-risk")}` : String(value);
  if (name === "interval") return span(Number(value));
  return value > 0 && /brightness|contrast|saturation|ae_level|sharpness/.test(name) ? `+${value}` : String(value);
}

function optionText(name, value) {
  if (name === "framesize") return SIZES[value] ? `${value.toUpperCase()} · ${SIZES[value]}` : value.toUpperCase();
  if (name === "gainceiling") return `${2 ** (Number(value) + 1)}×`;
  return known(`${name}-${value}`, value);
}
