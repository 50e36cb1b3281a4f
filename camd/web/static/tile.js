// A photo among many: small, with what is known of it in a few marks.

import * as api from "./api.js";
import { h, icon, setAttr } from "./dom.js";
import { clockExact, fullMoment, known, number, t } from "./words.js";

export function tileOf(photo, zone, wait) {
  const image = h("img", { alt: "", decoding: "async" });
  const show = () => (image.src = api.thumbnailOf(photo.id));
  if (wait) setTimeout(() => image.isConnected && show(), wait);
  else show();
  image.addEventListener("error", () => setTimeout(() => image.isConnected && (image.src = api.thumbnailOf(photo.id)), 3000), { once: true });
  const when = fullMoment(photo.when * 1000, zone);
  const tile = h(
    "a",
    { class: "tile", href: `#/photo/${encodeURIComponent(photo.id)}` },
    image,
    icon("star", { class: "icon star" }),
    h("span", { class: "marks" }),
    h("span", { class: "time" }, clockExact(photo.when * 1000, zone)),
  );
  tile.when = when;
  return tile;
}

// What may change of it while it is shown.
export function paintTile(tile, photo) {
  setAttr(tile, "data-starred", photo.starred ? "" : null);
  const found = photo.findings;
  const stamp = found ? JSON.stringify([found.counts, found.fresh, found.flags, found.done]) : "none";
  if (tile.stamp === stamp) return;
  tile.stamp = stamp;
  const flags = (found?.flags ?? []).map((flag) => known(`flag-${flag}`, flag));
  const counts = Object.entries(found?.counts ?? {}).sort((a, b) => b[1] - a[1]);
  const total = counts.reduce((sum, [, many]) => sum + many, 0);
  const what = counts.map(([name, many]) => `${name} ${number(many)}`).join(", ");
  tile.querySelector(".marks").replaceChildren(
    ...(total ? [h("span", { class: "many", title: what }, h("b", { text: number(total) }), found.fresh ? h("i", { text: `+${number(found.fresh)}` }) : "")] : []),
    ...(flags.length ? [h("span", { class: "flagged", title: flags.join(", ") }, icon("alert"), h("span", { text: flags[0] }))] : []),
    ...(found?.done ? [h("span", { class: "checked", title: t("checked") }, icon("check"))] : []),
  );
  setAttr(tile, "aria-label", [tile.when, what, found?.fresh ? t("n-new", { n: found.fresh }) : "", ...flags, found?.done ? t("checked") : ""].filter(Boolean).join(", "));
}
