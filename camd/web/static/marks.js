// What is on a photo as a person sees and corrects it: what the model found, what was said of it,
// and what is done about it here. Knows no element and no server.

// From this overlap on, two boxes are taken for the same thing; the server has the same rule.
const SAME = 0.5;
const ROWS = 8;
const MOST_STEPS = 200;

export function iou([x, y, w, h], [u, v, m, n]) {
  const wide = Math.min(x + w, u + m) - Math.max(x, u);
  const high = Math.min(y + h, v + n) - Math.max(y, v);
  if (wide <= 0 || high <= 0) return 0;
  return (wide * high) / (w * h + m * n - wide * high);
}

const LEAST = 0.002;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// A box that lies on the picture, and can be seen.
export function onPicture([x, y, w, h]) {
  const wide = clamp(w, LEAST, 1);
  const high = clamp(h, LEAST, 1);
  return [clamp(x, 0, 1 - wide), clamp(y, 0, 1 - high), wide, high].map((one) => Math.round(one * 1e5) / 1e5);
}

export class Marks {
  #past = [];
  #next = 0;

  constructor(findings, said = null) {
    this.found = findings?.detections ?? [];
    this.#fresh = (findings?.valid ?? []).filter((one) => one.fresh);
    this.done = (said ?? findings)?.done ?? false;
    const used = new Set();
    this.said = ((said ?? findings)?.annotations ?? []).map((one) => {
      const of = this.found.findIndex((found, at) => !used.has(at) && iou(found.box, one.box) >= SAME);
      if (of >= 0) used.add(of);
      return { key: of >= 0 ? `m${of}` : this.#own(), label: one.class, box: one.box, right: one.right ?? true, of: of >= 0 ? of : null };
    });
  }
  #fresh;

  #own() {
    this.#next += 1;
    return `p${this.#next}`;
  }

  // All there is to see, from the top left to the bottom right.
  shown() {
    const all = this.said.map((one) => ({ ...one, by: "person", score: null, fresh: one.right && this.#isFresh(one) }));
    if (!this.done)
      this.found.forEach((one, at) => {
        if (this.said.some((other) => iou(other.box, one.box) >= SAME || other.of === at)) return;
        all.push({ key: `m${at}`, label: one.class, box: one.box, right: true, by: "model", score: one.score, fresh: one.fresh, of: at });
      });
    const row = ([, y, , h]) => Math.floor((y + h / 2) * ROWS);
    return all.sort((a, b) => row(a.box) - row(b.box) || a.box[0] - b.box[0]);
  }
  #isFresh(one) {
    return this.#fresh.some((other) => other.class === one.label && iou(other.box, one.box) > 0.9);
  }

  get = (key) => this.shown().find((one) => one.key === key);

  counts() {
    const counts = new Map();
    for (const { label, right, fresh } of this.shown()) {
      if (!right || !label) continue;
      const count = counts.get(label) ?? { total: 0, fresh: 0 };
      count.total += 1;
      count.fresh += fresh ? 1 : 0;
      counts.set(label, count);
    }
    return counts;
  }

  // ---- what a person does; each can be undone

  #step() {
    this.#past.push({ said: this.said, done: this.done });
    if (this.#past.length > MOST_STEPS) this.#past.shift();
    this.said = this.said.map((one) => ({ ...one }));
  }
  undo() {
    const before = this.#past.pop();
    if (before) Object.assign(this, before);
    return Boolean(before);
  }
  get undoable() {
    return this.#past.length > 0;
  }

  // The mark of that key, made of what the model found where there is none yet.
  #take(key) {
    const known = this.said.find((one) => one.key === key);
    if (known) return known;
    const { label, box, of } = this.get(key);
    const made = { key, label, box, right: true, of };
    this.said.push(made);
    return made;
  }
  confirm(key) {
    this.#step();
    this.#take(key).right = true;
  }
  // The model's is none of that kind; a person's own is just gone.
  wrong(key) {
    this.#step();
    const mark = this.#take(key);
    if (mark.of === null) this.said = this.said.filter((one) => one !== mark);
    else Object.assign(mark, { right: false, label: this.found[mark.of].class, box: this.found[mark.of].box });
  }
  classify(key, label) {
    this.#step();
    Object.assign(this.#take(key), { label, right: true });
  }
  place(key, box) {
    this.#step();
    Object.assign(this.#take(key), { box: onPicture(box), right: true });
  }
  add(box, label) {
    this.#step();
    const key = this.#own();
    this.said.push({ key, label, box: onPicture(box), right: true, of: null });
    return key;
  }
  setDone(done) {
    this.#step();
    // All at once: of two that lie over each other, one that is confirmed would hide the other.
    if (done) for (const { key, label, box, of, by } of this.shown()) if (by === "model") this.said.push({ key, label, box, right: true, of });
    this.done = done;
  }

  // As the server takes it. What has no class yet waits for one.
  body() {
    const annotations = [];
    for (const { label, box, right, of } of this.said) {
      if (!label) continue;
      annotations.push({ class: label, box, right });
      // What was pulled far from where the model saw something leaves nothing behind.
      const first = of === null ? null : this.found[of];
      if (first && right && iou(first.box, box) < SAME) annotations.push({ class: first.class, box: first.box, right: false });
    }
    return { annotations, done: this.done };
  }
}
