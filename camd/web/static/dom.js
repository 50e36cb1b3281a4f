// Elements made one by one: what a camera or a person wrote is text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "text") node.textContent = value;
    else if (value === true) node.setAttribute(name, "");
    else node.setAttribute(name, value);
  }
  append(node, children);
  return node;
}

export function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child);
  }
  return node;
}

export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) =>
  fill(document.createElementNS(SVG, tag), props, children);

// Writes only what changed: five hundred cards are looked at every second, few of them differ.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttr(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Many calls before the next frame make one.
export function batched(work) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      work();
    });
  };
}

export function debounced(work, wait) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), wait);
  };
}

// A page's timers and listeners end with it.
export class Lifetime {
  #ends = [];
  ended = false;
  add(end) {
    this.#ends.push(end);
    return end;
  }
  on(target, name, listener, options) {
    target.addEventListener(name, listener, options);
    this.add(() => target.removeEventListener(name, listener, options));
  }
  every(ms, work) {
    const timer = setInterval(work, ms);
    this.add(() => clearInterval(timer));
  }
  later(ms, work) {
    const timer = setTimeout(work, ms);
    this.add(() => clearTimeout(timer));
  }
  end() {
    this.ended = true;
    for (const end of this.#ends.splice(0)) end();
  }
}

const ICONS = {
  lens: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z"],
  grid: ["M4 4h7v7H4z", "M13 4h7v7h-7z", "M4 13h7v7H4z", "M13 13h7v7h-7z"],
  list: ["M8 6h12", "M8 12h12", "M8 18h12", "M4 6h.01", "M4 12h.01", "M4 18h.01"],
  search: ["M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z", "m20 20-4-4"],
  star: ["m12 3.6 2.6 5.3 5.8.8-4.2 4.1 1 5.8-5.2-2.7-5.2 2.7 1-5.8L3.6 9.7l5.8-.8z"],
  download: ["M12 4v11", "m7 11 5 5 5-5", "M5 20h14"],
  trash: ["M5 7h14", "M10 7V4h4v3", "M7 7l1 13h8l1-13"],
  note: ["M5 4h14v11l-5 5H5z", "M14 20v-5h5"],
  left: ["m15 5-7 7 7 7"],
  right: ["m9 5 7 7-7 7"],
  up: ["m5 15 7-7 7 7"],
  play: ["M7 5v14l12-7z"],
  pause: ["M8 5v14", "M16 5v14"],
  shutter: ["M4 8h4l2-3h4l2 3h4v11H4z", "M12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z"],
  flash: ["M13 3 5 14h6l-1 7 8-11h-6z"],
  reboot: ["M20 12a8 8 0 1 1-2.5-5.8", "M20 3v4h-4"],
  full: ["M4 9V4h5", "M15 4h5v5", "M20 15v5h-5", "M9 20H4v-5"],
  close: ["M6 6l12 12", "M18 6 6 18"],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"],
  clock: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M12 8v4l3 2"],
  alert: ["M12 4 2.8 20h18.4z", "M12 10v4", "M12 17h.01"],
  check: ["m5 12 5 5 9-10"],
  out: ["M14 4h5v16h-5", "M4 12h11", "m11 8 4 4-4 4"],
  sliders: ["M4 7h9", "M17 7h3", "M15 5v4", "M4 17h3", "M11 17h9", "M9 15v4"],
  box: ["M8 4H4v4", "M16 4h4v4", "M20 16v4h-4", "M8 20H4v-4", "M9 9h6v6H9z"],
  undo: ["M9 7 4 12l5 5", "M4 12h11a5 5 0 0 1 0 10h-3"],
  eye: ["M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z", "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z"],
  send: ["M4 12 20 4l-5 16-4-7z", "M11 13l9-9"],
  copy: ["M9 9h11v11H9z", "M5 15H4V4h11v1"],
};

export function icon(name, props = {}) {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false", ...props },
    (ICONS[name] ?? []).map((d) => svg("path", { d })),
  );
}

// Four bars: how well the board hears its access point.
export function bars() {
  const marks = [0, 1, 2, 3].map((at) =>
    svg("rect", { x: 1 + at * 4, y: 11 - at * 3, width: 3, height: 4 + at * 3, rx: 1 }),
  );
  return svg("svg", { viewBox: "0 0 17 16", class: "bars", "aria-hidden": "true" }, marks);
}

export function battery() {
  return svg(
    "svg",
    { viewBox: "0 0 22 12", class: "cell", "aria-hidden": "true" },
    svg("rect", { x: 0.6, y: 0.6, width: 18, height: 10.8, rx: 2.4, class: "shell" }),
    svg("rect", { x: 19.6, y: 3.6, width: 1.8, height: 4.8, rx: 0.9, class: "fill" }),
    svg("rect", { x: 2.2, y: 2.2, width: 14.8, height: 7.6, rx: 1.2, class: "fill level" }),
  );
}
