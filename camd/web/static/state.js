// What a camera's figures mean to a person.

import { present } from "./clock.js";
import { clock, moment, span, t } from "./words.js";

export const STATES = ["live", "schedule", "asleep", "away", "silent", "never"];

export function stateText(camera) {
  const now = present();
  if (camera.state === "asleep" && camera.expected)
    return camera.expected > now
      ? t("state-asleep-until", { when: near(camera.expected) })
      : t("state-asleep-due", { span: span(now - camera.expected) });
  if (camera.state === "silent" && camera.lastPhoto)
    return t("state-silent-since", { when: near(camera.lastPhoto) });
  if (camera.state === "away" && camera.lastSeen)
    return t("state-away-since", { when: near(camera.lastSeen) });
  if (camera.state === "schedule" && !camera.interval) return t("state-connected");
  return t(`state-${camera.state}`);
}

// Today's times need no date.
function near(seconds) {
  const close = Math.abs(present() - seconds) < 20 * 3600;
  return (close ? clock : moment)(seconds * 1000);
}

// dBm in four steps; 0 where nothing is known.
export function signalLevel(rssi) {
  if (typeof rssi !== "number") return 0;
  if (rssi >= -60) return 4;
  if (rssi >= -70) return 3;
  if (rssi >= -80) return 2;
  return 1;
}

// How full a lithium cell is, by its voltage under a light load; null where nothing is known.
export function batteryShare(volts) {
  if (typeof volts !== "number") return null;
  return Math.min(1, Math.max(0, (volts - 3.3) / (4.15 - 3.3)));
}
