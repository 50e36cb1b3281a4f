// All cameras at a glance. Cards stay where they are while their figures change.

import * as api from "./api.js";
import { fleet } from "./fleet.js";
import { Lifetime, bars, battery, debounced, h, icon, setAttr, setText } from "./dom.js";
import { STATES, batteryShare, signalLevel, stateText } from "./state.js";
import { lookingLine } from "./looking.js";
import { toast } from "./toast.js";
import { present } from "./clock.js";
import { age, bytes, compare, known, number, span, t } from "./words.js";

const FIRST = 24;
const BATCH = 60;
const FEW = 3;
const SORTS = ["name", "newest", "state", "signal", "battery", "today"];
const GROUPS = ["none", "state", "prefix", "model"];
const CALM = 700;

class CameraCard extends HTMLElement {
  #parts = null;
  #camera = null;
  #picture = "";
  #due = 0;
  #painted = 0;
  #loading = false;

  connectedCallback() {
    if (this.#parts) return;
    const image = h("img", { alt: "", loading: "lazy", decoding: "async", width: 320, height: 240 });
    const badge = h("span", {});
    const when = h("span", { class: "num" });
    const size = h("span", { class: "num" });
    const title = h("strong", {});
    const signal = bars();
    const level = battery();
    const volts = h("span", { class: "num" });
    const power = h("span", { class: "volts" }, level, volts);
    const today = h("span", { class: "num" });
    const why = h("p", { class: "why" });
    const card = h(
      "a",
      { class: "card" },
      h("div", { class: "shot" }, image, icon("lens"), h("span", { class: "badge" }, h("span", { class: "dot" }), badge), h("div", { class: "over" }, when, size)),
      h("div", { class: "name" }, title),
      h("div", { class: "meta" }, today, power, signal),
      why,
    );
    image.addEventListener("error", () => this.#failed());
    image.addEventListener("load", () => {
      this.#loading = false;
      this.#show();
    });
    this.#parts = { image, badge, when, size, title, signal, level, volts, power, today, why, card };
    this.append(card);
    if (this.#camera) this.#paint();
  }

  set camera(camera) {
    this.#camera = camera;
    if (this.#parts) this.#paint();
  }
  get camera() {
    return this.#camera;
  }

  // Only the words that grow with time.
  tick(now) {
    const camera = this.#camera;
    if (!this.#parts || !camera) return;
    const { when, badge, why } = this.#parts;
    setText(when, camera.newest ? age(now - camera.newest.received) : "");
    if (camera.state === "asleep") setText(badge, stateText(camera));
    if (camera.refusal && !camera.poor) setText(why, this.#why(now));
  }

  #why(now) {
    const { refusal, poor } = this.#camera;
    if (poor) return poor.text;
    return t("refused-ago", { reason: known(`reason-${refusal.reason}`, refusal.reason), age: age(now - refusal.when) });
  }

  #paint() {
    const camera = this.#camera;
    const part = this.#parts;
    const now = present();
    setAttr(part.card, "href", `#/camera/${encodeURIComponent(camera.id)}`);
    setAttr(part.card, "data-state", camera.state);
    setText(part.title, camera.name);
    setText(part.badge, stateText(camera));
    setText(part.when, camera.newest ? age(now - camera.newest.received) : "");
    setText(part.size, camera.interval && camera.state === "schedule" ? t("every", { span: span(Math.max(1, Math.round(camera.interval))) }) : "");
    setText(part.today, t("today", { n: camera.today }));
    const level = signalLevel(camera.telemetry.rssi);
    setAttr(part.signal, "data-level", level || null);
    setAttr(part.signal, "class", level ? "bars" : "bars unseen");
    const share = batteryShare(camera.telemetry.vbat);
    setAttr(part.power, "hidden", share === null ? "" : null);
    if (share !== null) {
      part.level.lastChild.style.transform = `scaleX(${share})`;
      setAttr(part.level, "data-low", share < 0.15 ? "" : null);
      setText(part.volts, `${camera.telemetry.vbat.toFixed(2)} V`);
    }
    const bad = camera.refusal || camera.poor;
    setAttr(part.why, "data-bad", bad ? "" : null);
    const what = bad ? this.#why(now) : camera.note || [camera.model, camera.address].filter(Boolean).join(" · ");
    setText(part.why, what);
    setAttr(part.why, "title", camera.refusal && !camera.poor ? camera.refusal.text : what);
    setAttr(part.card, "aria-label", `${camera.name}, ${stateText(camera)}, ${t("today", { n: camera.today })}`);
    this.#show();
  }

  // A board that sends many photos a second shows one now and then; over a slow line each is whole
  // before the next is asked for.
  #show() {
    const wanted = this.#camera.newest?.thumbnail;
    if (!wanted || wanted === this.#picture || this.#due || this.#loading) return;
    const rest = CALM - (performance.now() - this.#painted);
    if (this.#picture && rest > 0) {
      this.#due = setTimeout(() => {
        this.#due = 0;
        this.#show();
      }, rest);
      return;
    }
    this.#picture = wanted;
    this.#painted = performance.now();
    this.#loading = true;
    this.#parts.image.src = wanted;
  }

  #failed() {
    this.#loading = false;
    setTimeout(() => {
      if (this.isConnected && this.#camera?.newest) {
        this.#picture = "";
        this.#show();
      }
    }, 3000 + Math.random() * 2000);
  }
}
customElements.define("camera-card", CameraCard);

const wishes = { text: "", state: "", sort: remembered("sort", SORTS, "name"), group: remembered("group", GROUPS, "none") };

function remembered(name, among, fallback) {
  const value = localStorage.getItem(`camd-${name}`);
  return among.includes(value) ? value : fallback;
}

const ORDER = {
  name: () => 0,
  newest: (a, b) => (b.newest?.received ?? 0) - (a.newest?.received ?? 0),
  state: (a, b) => urgency(a) - urgency(b),
  signal: (a, b) => (a.telemetry.rssi ?? 99) - (b.telemetry.rssi ?? 99),
  battery: (a, b) => (a.telemetry.vbat ?? 99) - (b.telemetry.vbat ?? 99),
  today: (a, b) => b.today - a.today,
};
// What wants a person first.
const URGENT = ["silent", "poor", "refused", "away", "live", "schedule", "asleep", "never"];
function urgency(camera) {
  const refused = camera.refusal?.when > (camera.lastPhoto ?? 0);
  return URGENT.indexOf(camera.state === "silent" ? "silent" : camera.poor ? "poor" : refused ? "refused" : camera.state);
}

const GROUP = {
  none: () => "",
  state: (camera) => t(`group-${camera.state}`),
  prefix: (camera) => camera.id.replace(/[-_.]?[0-9]+$/, ""),
  model: (camera) => camera.model || t("unknown"),
};

export async function fleetPage(root) {
  const life = new Lifetime();
  document.title = `${t("cameras")} · camd`;
  const wait = h("p", { class: "wait", text: t("loading") });
  root.append(wait);
  await fleet.ready();
  wait.remove();
  if (life.ended) return life;
  if (fleet.size) board(root, life);
  else await welcome(root, life);
  return life;
}

function board(root, life) {
  const sums = h("p", { class: "soft num" });
  const chips = h("div", { class: "chips", role: "group", "aria-label": t("states") });
  const search = h("input", { class: "field", type: "search", placeholder: t("search"), "aria-label": t("search"), value: wishes.text, spellcheck: "false", oninput: debounced(() => ((wishes.text = search.value), arrange()), 120) });
  const sort = choice("sort", SORTS);
  const group = choice("group", GROUPS);
  const list = h("div", {});
  const nothing = h("div", { class: "empty", hidden: true }, icon("search"), h("p", { text: t("nothing-found") }));
  const cards = new Map();
  const states = new Map();
  for (const state of ["", ...STATES]) {
    const count = h("b", {});
    const chip = h("button", { type: "button", class: "chip", data: { state }, onclick: () => ((wishes.state = wishes.state === state ? "" : state), arrange()) }, state && h("span", { class: "dot" }), t(state ? `group-${state}` : "all"), count);
    states.set(state, { chip, count });
    chips.append(chip);
  }
  root.append(
    h(
      "div",
      { class: "fleet-head" },
      h("div", { class: "line" }, h("h1", { text: t("cameras") }), sums),
      lookingLine(life),
      chips,
      h("div", { class: "tools" }, h("div", { class: "search" }, icon("search"), search), sort, group),
    ),
    list,
    nothing,
  );

  function choice(name, values) {
    return h(
      "select",
      {
        class: "field",
        "aria-label": t(`${name}-by`),
        onchange: (event) => {
          wishes[name] = event.target.value;
          localStorage.setItem(`camd-${name}`, event.target.value);
          arrange();
        },
      },
      values.map((value) => h("option", { value, text: t(`${name}-${value}`), selected: wishes[name] === value })),
    );
  }

  const fits = (camera) => {
    if (wishes.state && camera.state !== wishes.state) return false;
    const text = wishes.text.trim().toLowerCase();
    if (!text) return true;
    return [camera.id, camera.name, camera.note, camera.address, camera.model, camera.fw].some((part) => part?.toLowerCase().includes(text));
  };

  let run = 0;
  let shown = new Set();
  // Only here do cards move: when somebody asks for it, or a camera is new among those wanted.
  function arrange() {
    const mine = ++run;
    const order = ORDER[wishes.sort];
    const cameras = fleet.all().filter(fits).sort((a, b) => order(a, b) || compare(a.name, b.name));
    shown = new Set(cameras.map((camera) => camera.id));
    const groups = new Map();
    for (const camera of cameras) {
      const key = GROUP[wishes.group](camera);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(camera);
    }
    const keys = [...groups.keys()];
    if (wishes.group !== "state") keys.sort(compare);
    const work = [];
    const sections = keys.map((key) => {
      const members = groups.get(key);
      const grid = h("div", { class: "cards", "data-few": cameras.length <= FEW });
      for (const camera of members) work.push([grid, camera]);
      return h("section", key ? { class: "group" } : {}, key && h("h2", {}, key, h("span", { text: number(members.length) })), grid);
    });
    list.replaceChildren(...sections);
    nothing.hidden = cameras.length > 0;
    count();
    let done = 0;
    function some(many) {
      const until = Math.min(work.length, done + many);
      for (; done < until; done += 1) {
        const [grid, camera] = work[done];
        let card = cards.get(camera.id);
        if (!card) {
          card = document.createElement("camera-card");
          cards.set(camera.id, card);
        }
        card.camera = camera;
        grid.append(card);
      }
    }
    // The first screen now, the others in the pauses; cards that are there only move, all at once,
    // so that the page keeps its length.
    some(cards.size ? work.length : FIRST);
    (function rest() {
      if (done >= work.length || mine !== run || life.ended) return;
      requestAnimationFrame(() => {
        if (mine !== run || life.ended) return;
        some(BATCH);
        rest();
      });
    })();
  }

  function count() {
    const counts = new Map();
    let today = 0;
    let stored = 0;
    for (const camera of fleet.all()) {
      counts.set(camera.state, (counts.get(camera.state) ?? 0) + 1);
      today += camera.today;
      stored += camera.bytes;
    }
    counts.set("", fleet.size);
    for (const [state, { chip, count }] of states) {
      const many = counts.get(state) ?? 0;
      setText(count, number(many));
      // One that came and went would push the others about.
      setAttr(chip, "data-none", many ? null : "");
      setAttr(chip, "aria-pressed", String(wishes.state === state));
    }
    setText(sums, `${t("today", { n: today })} · ${bytes(stored)}`);
  }

  const added = debounced(arrange, 200);
  life.add(
    fleet.listen((changed) => {
      let fresh = false;
      for (const id of changed) {
        const camera = fleet.get(id);
        const card = cards.get(id);
        if (!camera) {
          card?.remove();
          cards.delete(id);
        } else {
          if (card) card.camera = camera;
          if (!shown.has(id) && fits(camera)) fresh = true;
        }
      }
      count();
      if (fresh) added();
    }),
  );
  life.every(1000, () => {
    if (document.hidden) return;
    const now = present();
    for (const card of cards.values()) card.tick(now);
  });
  life.add(() => (run += 1));
  life.on(document, "keydown", (event) => {
    if (event.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(document.activeElement?.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  // Arrows go from card to card, as the eye does.
  life.on(list, "keydown", (event) => {
    const card = event.target.closest?.("camera-card");
    if (!card) return;
    const across = getComputedStyle(card.parentElement).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    if (!step) return;
    const all = [...list.querySelectorAll("camera-card")];
    all[all.indexOf(card) + step]?.firstChild.focus();
    event.preventDefault();
  });
  arrange();
}

// No camera yet: how to connect the first one, with this server's own address.
async function welcome(root, life) {
  const stats = await api.stats().catch(() => null);
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const host = stats?.address || (local ? "" : location.hostname) || location.hostname;
  const door = stats?.doors?.find((one) => !one.tls && one.port) ?? stats?.doors?.[0];
  const port = door?.port ?? 8940;
  const step = (title, text, ...more) => h("li", {}, h("h3", { text: title }), h("p", { class: "soft", text }), more);
  root.append(
    h(
      "section",
      { class: "hello panel" },
      h("h1", {}, icon("lens"), t("hello")),
      h("p", { class: "soft", text: t("hello-text") }),
      h(
        "ol",
        { class: "steps" },
        step(t("hello-old"), t("hello-old-text"), code(`const char* host = "${host}";\nconst int port = ${port};`)),
        step(t("hello-new"), t("hello-new-text"), code(`${host}:${port}`)),
        step(t("hello-try"), t("hello-try-text"), code(`camd simulate ${local ? "" : `${host} `}${port === 8940 ? "" : `--port ${port} `}--boards 3`)),
      ),
      h("p", { class: "soft", role: "status", text: t("hello-wait") }),
    ),
  );
  const stop = life.add(
    fleet.listen(() => {
      if (!fleet.size) return;
      stop();
      root.replaceChildren();
      board(root, life);
    }),
  );
}

function code(text) {
  const copy = h("button", { type: "button", class: "button square plain", "aria-label": t("copy"), title: t("copy"), onclick: () => navigator.clipboard?.writeText(text).then(() => toast(t("copied"))) }, icon("copy"));
  return h("div", { class: "code" }, h("code", { text }), navigator.clipboard && copy);
}
