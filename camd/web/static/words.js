// What the page says, in the language that the browser asks for first.

import en from "./words-en.js";
import zh from "./words-zh.js";

const LANGUAGES = { en, zh };

function choose() {
  for (const wish of navigator.languages ?? [navigator.language]) {
    const language = wish.toLowerCase().split("-")[0];
    if (language in LANGUAGES) return [language, wish];
  }
  return ["en", "en"];
}

export const [language, locale] = choose();
const words = LANGUAGES[language];
const plural = new Intl.PluralRules(language);

document.documentElement.lang = language === "zh" ? locale : "en";

// t("photos", {n: 3}): a word of two forms is chosen by n.
export function t(key, values) {
  let text = words[key] ?? en[key] ?? key;
  if (Array.isArray(text)) text = text[plural.select(values?.n ?? 0) === "one" ? 0 : 1];
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) =>
    name === "n" && typeof values.n === "number" ? number(values.n) : (values[name] ?? whole),
  );
}

// A word that may not be in the list: what the server or a board said then stands for itself.
export const known = (key, fallback) => words[key] ?? fallback;

const numbers = new Intl.NumberFormat(locale);
export const number = (value) => numbers.format(value);

const UNITS = ["B", "kB", "MB", "GB", "TB"];
export function bytes(value) {
  let at = 0;
  let left = value;
  while (left >= 1000 && at < UNITS.length - 1) {
    left /= 1000;
    at += 1;
  }
  return `${at && left < 10 ? left.toFixed(1) : Math.round(left)} ${UNITS[at]}`;
}

const ago = new Intl.RelativeTimeFormat(locale, { style: "narrow", numeric: "always" });
const STEPS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

// Seconds become the one unit that a person would use.
export function span(seconds) {
  const size = Math.max(0, seconds);
  for (const [unit, length] of STEPS)
    if (size >= length || unit === "second") return t(`span-${unit}`, { n: Math.floor(size / length) });
  return "";
}

export function age(seconds) {
  if (seconds < 1.5) return t("now");
  for (const [unit, length] of STEPS)
    if (seconds >= length) return ago.format(-Math.floor(seconds / length), unit);
  return t("now");
}

const formats = new Map();
function format(options, zone) {
  const key = JSON.stringify([options, zone]);
  if (!formats.has(key))
    formats.set(key, new Intl.DateTimeFormat(locale, { ...options, timeZone: zone || undefined }));
  return formats.get(key);
}
const HOURS = { hourCycle: "h23" };

export const clock = (ms, zone) =>
  format({ ...HOURS, hour: "2-digit", minute: "2-digit" }, zone).format(ms);
export const clockExact = (ms, zone) =>
  format({ ...HOURS, hour: "2-digit", minute: "2-digit", second: "2-digit" }, zone).format(ms);
export const moment = (ms, zone) =>
  format({ ...HOURS, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }, zone).format(ms);
export const fullMoment = (ms, zone) =>
  format({ ...HOURS, dateStyle: "full", timeStyle: "medium" }, zone).format(ms);
// A day is a plain date: it is shown as it is named, whatever the zone.
export const dayName = (day) =>
  format({ weekday: "short", month: "short", day: "numeric" }, "UTC").format(Date.parse(`${day}T00:00Z`));
export const dayShort = (day) =>
  format({ month: "numeric", day: "numeric" }, "UTC").format(Date.parse(`${day}T00:00Z`));
export const dayLong = (day) =>
  format({ dateStyle: "long" }, "UTC").format(Date.parse(`${day}T00:00Z`));

export const compare = new Intl.Collator(locale, { numeric: true, sensitivity: "base" }).compare;
