// One camera: what it sees now, what it is told, what it has seen.

import * as api from "./api.js";
import { fleet } from "./fleet.js";
import { Lifetime, h, icon, bars, battery, setAttr, setText } from "./dom.js";
import { measurements } from "./charts.js";
import { insects } from "./counts.js";
import { photosTab } from "./gallery.js";
import { player } from "./player.js";
import { settingsPanel } from "./settings.js";
import { signalLevel, stateText, batteryShare } from "./state.js";
import { toast } from "./toast.js";
import { present } from "./clock.js";
import { age, bytes, known, moment, number, span, t } from "./words.js";

const TABS = ["photos", "timelapse", "charts", "settings"];
const WIDE = "(min-width: 1080px)";
const AGAIN = 2000;
const TRIES = 4;

export async function cameraPage(root, [id, tab = "photos", day]) {
  const life = new Lifetime();
  await fleet.ready();
  const camera = fleet.get(id) ?? (await fleet.refresh(id));
  if (life.ended) return life;
  if (!camera) {
    root.append(
      h("div", { class: "empty" }, icon("lens"), h("h1", { text: t("no-camera") }), h("p", {}, h("a", { href: "#/", text: t("to-fleet") }))),
    );
    return life;
  }
  document.title = `${camera.name} · camd`;

  const state = h("span", { class: "state" }, h("span", { class: "dot" }), h("span", {}));
  const head = h(
    "div",
    { class: "head" },
    h("a", { href: "#/", class: "button plain square", "aria-label": t("to-fleet") }, icon("left")),
    h("div", { class: "title" }, h("h1", { text: camera.name, dir: "auto" }), camera.name === id ? "" : h("span", { class: "mono", text: id }), state),
  );
  const view = viewer(id, life);
  const facts = factsOf(life);
  const settings = settingsPanel(id, life);
  const side = h("div", { class: "aside" });
  const body = h("div", { class: "tab", id: "tab-body", role: "tabpanel" });
  const tabs = h("div", { class: "tabs", role: "tablist" });
  const buttons = new Map(
    TABS.map((name) => [
      name,
      h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "tab-body", text: t(`tab-${name}`), onclick: () => open(name) }),
    ]),
  );
  tabs.append(...buttons.values());
  head.append(view.reboot);
  const poor = h("p", { class: "notice poor", hidden: true }, icon("alert"), h("span", {}));
  root.append(
    head,
    poor,
    h(
      "div",
      { class: "camera" },
      h("section", { class: "viewer panel", "aria-label": t("live-view") }, view.node, facts.node),
      side,
      h("div", { class: "below" }, tabs, body),
    ),
  );

  const wide = matchMedia(WIDE);
  let current = "";
  let inner = null;
  function place() {
    setAttr(buttons.get("settings"), "hidden", wide.matches ? "" : null);
    setAttr(side, "hidden", wide.matches ? null : "");
    if (wide.matches) side.append(settings);
    if (wide.matches && current === "settings") open("photos");
  }
  function open(name, at) {
    if (name === current) return;
    inner?.end();
    current = name;
    for (const [other, button] of buttons) {
      button.setAttribute("aria-selected", String(other === name));
      button.tabIndex = other === name ? 0 : -1;
    }
    setAttr(body, "aria-labelledby", `tab-${name}`);
    inner = new Lifetime();
    body.replaceChildren();
    history.replaceState(null, "", `#/camera/${encodeURIComponent(id)}/${name}${at ? `/${at}` : ""}`);
    if (name === "photos") photosTab(body, id, inner, at);
    else if (name === "timelapse") player(body, id, inner, at);
    else if (name === "charts") {
      insects(body, id, inner);
      measurements(body, id, inner);
    }
    else body.append(settings);
  }
  life.add(() => inner?.end());
  life.on(tabs, "keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const shown = TABS.filter((name) => !buttons.get(name).hidden);
    const next = shown[(shown.indexOf(current) + step + shown.length) % shown.length];
    open(next);
    buttons.get(next).focus();
    event.preventDefault();
    event.stopPropagation();
  });
  life.on(wide, "change", place);
  if (wide.matches && tab === "settings") tab = "photos";
  place();
  open(TABS.includes(tab) ? tab : "photos", day);

  function update() {
    const now = fleet.get(id);
    if (!now) return;
    setAttr(state, "data-state", now.state);
    setText(state.lastChild, stateText(now));
    poor.hidden = !now.poor;
    setText(poor.lastChild, now.poor ? `${now.poor.text} (${moment(now.poor.when * 1000)})` : "");
    facts.update(now);
    view.update(now);
  }
  life.add(fleet.listen((changed) => changed.has(id) && update()));
  life.every(1000, update);
  update();
  return life;
}

function viewer(id, life) {
  const image = h("img", { alt: t("newest-of", { camera: id }), hidden: true });
  const tag = h("div", { class: "tag" }, h("span", { class: "dot" }), h("span", {}));
  const none = h("div", { class: "none" }, icon("shutter"), h("p", { text: t("no-photo-yet") }));
  const screen = h("div", { class: "screen" }, image, none, tag);
  let live = false;
  let shown = "";
  // Whether a picture is on its way; over a slow line each is whole before the next is asked for.
  let loading = false;
  let failed = 0;
  let retry = 0;
  let camera = fleet.get(id);

  const liveButton = action("play", t("live"), () => watch(!live), { "aria-pressed": "false" });
  const snapButton = action("shutter", t("snap"), snap, {}, "main");
  const flashButton = action("flash", t("flash"), () => {
    const on = flashButton.getAttribute("aria-pressed") !== "true";
    flashButton.setAttribute("aria-pressed", String(on));
  }, { "aria-pressed": "false", title: t("flash-hint") }, "light");
  const fullButton = h("button", { type: "button", class: "button square push", "aria-label": t("fullscreen"), title: t("fullscreen"), onclick: () => (document.fullscreenElement ? document.exitFullscreen() : screen.requestFullscreen?.()) }, icon("full"));
  const rebootButton = h("button", { type: "button", class: "button plain square push", "aria-label": t("reboot"), title: t("reboot"), onclick: reboot }, icon("reboot"));

  image.addEventListener("load", () => {
    image.hidden = false;
    none.hidden = true;
    loading = false;
    failed = 0;
    update(camera);
  });
  image.addEventListener("error", () => {
    failed += 1;
    clearTimeout(retry);
    if (!live) retry = setTimeout(() => ((loading = false), (shown = "")), AGAIN);
    else if (fleet.link === "lost" || failed < TRIES) retry = setTimeout(play, AGAIN);
    else {
      watch(false);
      toast(t("live-over"), "bad");
    }
  });
  // A stream that ends leaves its last picture standing, and the browser says nothing.
  let cut = false;
  life.add(
    fleet.onLink((link) => {
      if (link === "lost") cut = true;
      else if (link === "open" && cut) {
        cut = false;
        play();
      }
    }),
  );
  life.add(() => clearTimeout(retry));
  function play() {
    clearTimeout(retry);
    if (live) image.src = `cameras/${encodeURIComponent(id)}/live.mjpeg?${Date.now()}`;
  }

  function watch(on) {
    live = on;
    liveButton.setAttribute("aria-pressed", String(on));
    liveButton.querySelector(".icon").replaceWith(icon(on ? "pause" : "play"));
    liveButton.setAttribute("aria-label", on ? t("live-stop") : t("live"));
    failed = 0;
    loading = false;
    if (on) play();
    else {
      clearTimeout(retry);
      shown = "";
      image.removeAttribute("src");
      image.hidden = !camera?.newest;
      none.hidden = !image.hidden;
    }
    update(camera);
  }
  // Nobody looks at a hidden page: the board need not send for it.
  life.on(document, "visibilitychange", () => {
    if (document.hidden && live) {
      watch(false);
      resume = true;
    } else if (!document.hidden && resume) {
      resume = false;
      watch(true);
    }
  });
  let resume = false;
  life.add(() => image.removeAttribute("src"));

  async function snap() {
    const flash = flashButton.getAttribute("aria-pressed") === "true";
    await tell(snapButton, () => api.command(id, "snap", flash ? { flash: true } : {}), t("snap-done"));
  }
  async function reboot() {
    if (confirm(t("reboot-sure", { camera: id })))
      await tell(rebootButton, () => api.command(id, "reboot"), t("reboot-done"));
  }
  async function tell(button, work, done) {
    button.dataset.busy = "";
    button.disabled = true;
    try {
      await work();
      toast(done);
    } catch (error) {
      toast(api.because(error), "bad");
    } finally {
      delete button.dataset.busy;
      update(camera);
    }
  }

  function update(now) {
    camera = now;
    if (!now) return;
    const able = now.can;
    snapButton.disabled = !able.snap || "busy" in snapButton.dataset;
    flashButton.disabled = !able.snap;
    rebootButton.disabled = !able.reboot || "busy" in rebootButton.dataset;
    for (const button of [snapButton, flashButton, rebootButton])
      if (button !== flashButton) button.title = able.snap ? button.getAttribute("aria-label") ?? "" : now.connected ? t("cannot-command") : t("not-connected");
    tag.toggleAttribute("data-live", live);
    const newest = now.newest;
    setText(tag.lastChild, live ? t("live") : newest ? age(present() - newest.received) : t("no-photo-yet"));
    tag.hidden = !live && !newest;
    if (live || loading || !newest || shown === newest.image) return;
    loading = true;
    shown = newest.image;
    image.src = newest.image;
  }

  const node = h(
    "div",
    {},
    screen,
    h("div", { class: "actions" }, liveButton, snapButton, flashButton, fullButton),
  );
  return { node, update, reboot: rebootButton };
}

function action(name, label, onclick, props = {}, kind = "") {
  return h("button", { type: "button", class: `button ${kind}`, "aria-label": label, onclick, ...props }, icon(name), h("span", { text: label }));
}

function factsOf(life) {
  const rows = new Map();
  const node = h("dl", { class: "facts" });
  function row(name, ...before) {
    const value = h("span", {});
    const dd = h("dd", {}, before, value);
    const box = h("div", {}, h("dt", { text: t(`fact-${name}`) }), dd);
    node.append(box);
    rows.set(name, { box, value, dd });
  }
  const signal = bars();
  const power = battery();
  row("seen");
  row("today");
  row("stored");
  row("pace");
  row("signal", signal);
  row("battery", power);
  row("temp");
  row("uptime");
  row("queued");
  row("protocol");
  row("address");
  row("fw");
  row("refused");
  function set(name, text, full) {
    const { box, value, dd } = rows.get(name);
    box.hidden = !text;
    setText(value, text ?? "");
    setAttr(dd, "title", full ?? text);
  }
  function update(camera) {
    const now = present();
    const told = camera.telemetry;
    set("seen", camera.lastSeen ? age(now - camera.lastSeen) : t("never"), camera.lastSeen ? moment(camera.lastSeen * 1000) : "");
    set("today", t("photos", { n: camera.today }));
    set("stored", camera.photos ? `${number(camera.photos)} · ${bytes(camera.bytes)}` : "");
    set("pace", camera.interval ? t("every", { span: span(Math.max(1, Math.round(camera.interval))) }) : "");
    const level = signalLevel(told.rssi);
    set("signal", level ? `${told.rssi} dBm` : "");
    setAttr(signal, "data-level", level || null);
    const share = batteryShare(told.vbat);
    set("battery", told.vbat === undefined ? "" : `${told.vbat} V`);
    power.lastChild.style.transform = `scaleX(${share ?? 1})`;
    setAttr(power, "data-low", share !== null && share < 0.15 ? "" : null);
    set("temp", told.temp === undefined ? "" : `${told.temp} °C`);
    set("uptime", told.uptime === undefined ? "" : span(told.uptime));
    set("queued", told.queued ? t("photos", { n: told.queued }) : "");
    set("protocol", known(`protocol-${camera.protocol}`, camera.protocol));
    set("address", camera.address);
    set("fw", [camera.model, camera.fw].filter(Boolean).join(" · "));
    const refused = Object.entries(camera.refusedBy);
    set("refused", refused.map(([reason, n]) => `${known(`reason-${reason}`, reason)} ${number(n)}`).join(", "));
  }
  return { node, update };
}
