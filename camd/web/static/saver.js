// What people say of photos, on its way to camd. Kept in the browser until camd has it: a closed
// tab, a dead battery or a lost connection loses nothing.

import * as api from "./api.js";

const WAITS = [1000, 2000, 5000, 10000, 15000];

class Saver {
  #place;
  #soon;
  #work;
  #jobs = new Map();
  // Those of them that are kept in the browser; what else is kept is another tab's.
  #mine = new Set();
  #saved = new Map();
  #listeners = new Set();

  // Kept under the name *place*; sent when for *soon* milliseconds nothing was put. *work.send* fails
  // with 412 where somebody else said something since; *work.same* is whether they said the same.
  constructor(place, soon, work) {
    this.#place = place;
    this.#soon = soon;
    this.#work = work;
    for (const [id, { body, tag }] of Object.entries(this.#kept())) {
      this.#jobs.set(id, job(body, tag));
      this.#mine.add(id);
    }
    addEventListener("beforeunload", (event) => this.#jobs.size && event.preventDefault());
    addEventListener("online", () => this.resume());
  }

  // What was said of that photo and is not safe yet.
  unsaved = (id) => this.#jobs.get(id)?.body ?? null;
  // What camd knows of that photo since this page saved something of it, at that time or later.
  savedSince(id, moment) {
    const saved = this.#saved.get(id);
    return saved && saved.moment >= moment ? saved.known : null;
  }
  state = (id) => this.#jobs.get(id)?.state ?? "";
  get waiting() {
    return this.#jobs.size;
  }

  // Called with a photo's id, a state, and what camd knows of the photo where it has been saved.
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // *tag* names what was said before, as far as the page knows.
  put(id, body, tag) {
    const known = this.#jobs.get(id);
    if (known) {
      known.body = body;
      known.version += 1;
    } else this.#jobs.set(id, job(body, tag));
    this.#keep();
    const one = this.#jobs.get(id);
    if (one.state === "conflict") return;
    this.#tell(id, one, "saving");
    this.#send(id, this.#soon);
  }

  resume() {
    for (const [id, one] of this.#jobs) if (one.state !== "conflict") this.#send(id, 0);
  }

  // Two said something different: what stands here is sent all the same, or given up.
  async settle(id, mine) {
    const one = this.#jobs.get(id);
    if (!one) return;
    if (!mine) {
      this.#jobs.delete(id);
      this.#keep();
      this.#say(id, "theirs", null);
      return;
    }
    one.state = "saving";
    one.tag = "*";
    this.#send(id, 0);
  }

  #send(id, wait) {
    const one = this.#jobs.get(id);
    if (!one || one.flying) return;
    clearTimeout(one.timer);
    one.timer = setTimeout(() => this.#go(id, one), wait);
  }

  async #go(id, one) {
    one.flying = true;
    const version = one.version;
    let known = null;
    let problem = null;
    try {
      known = await this.#work.send(id, one.body, one.tag);
    } catch (error) {
      problem = error;
      // An answer that was lost on the way looks like somebody else's word.
      if (error.status === 412) known = await this.#work.same(id, one.body).catch(() => null);
    }
    one.flying = false;
    if (this.#jobs.get(id) !== one) return;
    if (known) {
      one.tag = known.tag;
      one.tries = 0;
      if (one.version !== version) {
        this.#keep();
        this.#send(id, 0);
        return;
      }
      this.#jobs.delete(id);
      this.#keep();
      this.#saved.set(id, { known, moment: performance.now() });
      this.#say(id, "saved", known);
    } else if (problem.status === 412) this.#tell(id, one, "conflict");
    else if (problem.status === 404) {
      // The photo is gone, and with it what could be said of it.
      this.#jobs.delete(id);
      this.#keep();
      this.#say(id, "failed", problem);
    } else if (problem.status === 400 || problem.status === 413) this.#tell(id, one, "failed", problem);
    else {
      this.#tell(id, one, "waiting", problem);
      this.#send(id, WAITS[Math.min(one.tries, WAITS.length - 1)]);
      one.tries += 1;
    }
  }

  #tell(id, one, state, problem = null) {
    one.state = state;
    this.#say(id, state, problem);
  }
  #say(id, state, what) {
    for (const listener of [...this.#listeners]) listener(id, state, what);
  }

  #kept() {
    try {
      return JSON.parse(localStorage.getItem(this.#place)) ?? {};
    } catch {
      return {};
    }
  }
  #keep() {
    const said = this.#kept();
    for (const id of this.#mine) delete said[id];
    for (const [id, { body, tag }] of this.#jobs) said[id] = { body, tag };
    this.#mine = new Set(this.#jobs.keys());
    try {
      if (Object.keys(said).length) localStorage.setItem(this.#place, JSON.stringify(said));
      else localStorage.removeItem(this.#place);
    } catch {
      // Without storage it is kept as long as the page is open.
    }
  }
}

const job = (body, tag) => ({ body, tag, version: 0, state: "", flying: false, timer: 0, tries: 0 });

export const saver = new Saver("camd-unsaved", 300, {
  send: api.annotate,
  async same(id, body) {
    const said = await api.annotations(id);
    if (JSON.stringify([said.annotations, said.done]) !== JSON.stringify([body.annotations, body.done])) return null;
    return (await api.photo(id)).findings;
  },
});

// A note is text, and what names the one before is that one.
const noted = ({ note }) => ({ tag: note });
export const notes = new Saver("camd-unsaved-notes", 800, {
  async send(id, note, before) {
    if (before !== "*") {
      const there = (await api.photo(id)).note;
      if (there !== before && there !== note) throw new api.Problem(412, "");
    }
    return noted(await api.changePhoto(id, { note }));
  },
  same: async () => null,
});
