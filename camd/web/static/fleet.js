// Every camera, as the server last told it; what changed is told to the page once a frame.

import * as api from "./api.js";
import { itIs, present } from "./clock.js";
import { batched } from "./dom.js";

const KINDS = ["photo", "refused", "came", "left", "sleeps", "silent", "back", "stat", "command", "denied", "store", "found", "poor", "good", "alert"];
const HIDDEN_FOR = 60_000;
const LIVE_INTERVAL = 2;

function stateOf(said, now) {
  if (said.state === "silent" || said.state === "asleep") return said.state;
  if (said.state === "never seen") return "never";
  if (said.state === "connected")
    return said.viewers || (said.interval && said.interval <= LIVE_INTERVAL) ? "live" : "schedule";
  return said.due && now < said.due ? "schedule" : "away";
}

function shape(said) {
  const latest = said.latest;
  const able = said.connected && said.protocol !== "v1" && api.may("control");
  return {
    id: said.id,
    name: said.name || said.id,
    note: said.note,
    said,
    state: stateOf(said, present()),
    connected: said.connected,
    can: { snap: able, reboot: able },
    protocol: said.protocol,
    address: said.address,
    fw: said.fw,
    model: said.model,
    interval: said.interval,
    expected: said.expected,
    lastSeen: said.last_seen,
    lastPhoto: said.last_photo,
    photos: said.photos,
    bytes: said.bytes,
    today: said.photos_today,
    telemetry: said.telemetry,
    refusedBy: said.refused,
    refusal: said.last_refusal,
    poor: said.poor,
    viewers: said.viewers,
    newest: latest && {
      id: latest.id,
      when: latest.when,
      received: Math.max(latest.when, said.last_photo ?? 0),
      image: api.imageOf(latest.id),
      thumbnail: api.thumbnailOf(latest.id),
    },
  };
}

class Fleet {
  #cameras = new Map();
  #changed = new Set();
  #listeners = new Set();
  #itemListeners = new Set();
  #linkListeners = new Set();
  #source = null;
  #loaded = null;
  #hidden = 0;
  link = "wait";
  #tell = batched(() => {
    const changed = this.#changed;
    this.#changed = new Set();
    for (const listener of [...this.#listeners]) listener(changed);
  });

  get = (id) => this.#cameras.get(id);
  all = () => [...this.#cameras.values()];
  get size() {
    return this.#cameras.size;
  }

  // What is called with the ids that changed, and with the log's items as they happen; "gap" says
  // that some were missed: whoever shows what comes of them asks anew.
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  onItem(listener) {
    this.#itemListeners.add(listener);
    return () => this.#itemListeners.delete(listener);
  }
  onLink(listener) {
    this.#linkListeners.add(listener);
    listener(this.link);
    return () => this.#linkListeners.delete(listener);
  }

  ready() {
    this.#loaded ??= this.#load().catch((error) => {
      this.#loaded = null;
      throw error;
    });
    return this.#loaded;
  }

  async refresh(id) {
    const said = await api.camera(id).catch(() => null);
    if (said) this.#put(said);
    return this.get(id);
  }

  async #load() {
    this.#connect(await this.#reread());
  }

  async #reread() {
    const said = await api.cameras();
    const there = new Set(said.cameras.map((camera) => camera.id));
    for (const id of this.#cameras.keys())
      if (!there.has(id)) {
        this.#cameras.delete(id);
        this.#changed.add(id);
        this.#tell();
      }
    for (const camera of said.cameras) this.#put(camera);
    return said.number;
  }

  #put(said) {
    this.#cameras.set(said.id, shape(said));
    this.#changed.add(said.id);
    this.#tell();
  }

  // Time alone makes a state another one: what was due is late now.
  tick() {
    const now = present();
    for (const camera of this.#cameras.values()) {
      const state = stateOf(camera.said, now);
      if (state !== camera.state) {
        camera.state = state;
        this.#changed.add(camera.id);
        this.#tell();
      }
    }
  }

  #connect(after) {
    this.close();
    const source = new EventSource(`events?after=${after}`);
    this.#source = source;
    const data = (event) => JSON.parse(event.data);
    source.addEventListener("hello", (event) => {
      itIs(data(event).now);
      // What is said of cameras is not said again: after a gap all are asked for.
      if (this.link === "lost") this.#reread().catch(() => {});
      this.#linked("open");
    });
    source.addEventListener("reset", () => this.again());
    source.addEventListener("camera", (event) => this.#put(data(event)));
    source.addEventListener("change", (event) => this.#happened("change", data(event)));
    source.addEventListener("gone", (event) => this.#happened("gone", data(event)));
    for (const kind of KINDS)
      source.addEventListener(kind, (event) => this.#happened(kind, data(event)));
    source.onerror = () => {
      this.#linked("lost");
      if (source.readyState !== EventSource.CLOSED || source !== this.#source) return;
      // The server said no: signed out, or it is starting.
      setTimeout(() => source === this.#source && this.again(), 3000);
    };
  }

  #happened(kind, what) {
    for (const listener of [...this.#itemListeners]) listener(kind, what);
  }

  #linked(state) {
    if (state === this.link) return;
    this.link = state;
    for (const listener of this.#linkListeners) listener(state);
  }

  again() {
    this.#loaded = null;
    this.ready().then(
      () => this.#happened("gap", {}),
      () => {
        this.#linked("lost");
        setTimeout(() => api.session.signed_in && !this.#loaded && this.again(), 3000);
      },
    );
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }

  forget() {
    this.close();
    this.#loaded = null;
    this.#cameras.clear();
  }

  // A page in the background for long lets its connection go, and asks anew when it is seen.
  watchVisibility() {
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#hidden);
      if (document.hidden) this.#hidden = setTimeout(() => this.close(), HIDDEN_FOR);
      else if (!this.#source && api.session.signed_in && this.#loaded) this.again();
    });
    // One that was left may be kept by the browser for the way back, and its connection with it: six
    // of those, and the browser has none left for this server.
    addEventListener("pagehide", () => this.close());
  }
}

export const fleet = new Fleet();
