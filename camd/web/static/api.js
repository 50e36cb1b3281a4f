// What the page asks of camd. Addresses are relative: camd may stand behind a proxy's prefix.

import { itIs } from "./clock.js";
import { known, t } from "./words.js";

export class Problem extends Error {
  constructor(status, title, detail, retry) {
    super(detail || title);
    this.status = status;
    this.detail = detail;
    this.retry = retry;
  }
}

export let session = { signed_in: false, may: [], token: null, password: false, version: "" };
export const may = (what) => session.may.includes(what);

let onSignedOut = () => {};
export const whenSignedOut = (work) => {
  onSignedOut = work;
};

async function call(method, path, body, again = true, more = {}) {
  const headers = { Accept: "application/json", ...more };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && session.token) headers["X-Camd-Token"] = session.token;
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch {
    throw new Problem(0, t("no-answer"));
  }
  if (answer.status === 204) return null;
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  if ((answer.status === 401 || answer.status === 403) && path !== "login" && again) {
    const before = session.token;
    await open();
    if (!session.signed_in) onSignedOut();
    else if (session.token !== before) return call(method, path, body, false, more);
  }
  throw new Problem(answer.status, said.title ?? answer.statusText, said.detail, answer.headers.get("Retry-After"));
}

// Who this browser is to camd. The token is for this page only, and is kept nowhere.
export async function open() {
  session = await call("GET", "api/v1/session", undefined, false);
  itIs(session.now);
  return session;
}
export async function login(password) {
  session = await call("POST", "login", { password }, false);
  itIs(session.now);
  return session;
}
export async function logout() {
  await call("POST", "logout");
  session = { ...session, signed_in: false, may: [], token: null };
  // Where the password was taken away meanwhile there is nothing to be signed out of.
  await open().catch(() => {});
  if (!session.signed_in) onSignedOut();
}

const at = (id) => `api/v1/cameras/${encodeURIComponent(id)}`;
const photoAt = (id) => `api/v1/photos/${encodeURIComponent(id)}`;

function query(values) {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    if (value !== undefined && value !== null && value !== "") said.set(name, value);
  const text = said.toString();
  return text ? `?${text}` : "";
}

export const cameras = () => call("GET", "api/v1/cameras");
export const camera = (id) => call("GET", at(id));
export const settings = (id) => call("GET", `${at(id)}/settings`);
export const days = (id) => call("GET", `${at(id)}/days`);
export const telemetry = (id, since) => call("GET", `${at(id)}/telemetry${query({ since })}`);
export const stats = () => call("GET", "api/v1/stats");
export const photos = (values) => call("GET", `api/v1/photos${query(values)}`);
export const photo = (id) => call("GET", photoAt(id));
export const changePhoto = (id, change) => call("PATCH", photoAt(id), change);
export const deletePhoto = (id) => call("DELETE", photoAt(id));
export const annotations = (id) => call("GET", `${photoAt(id)}/annotations`);
// *tag* names what was said before; where it is no longer so, the answer is 412. "*": whatever it was.
export const annotate = (id, said, tag) =>
  call("PUT", `${photoAt(id)}/annotations`, said, true, { "If-Match": tag === "*" ? tag : `"${tag}"` });
export const classes = () => call("GET", "api/v1/classes");
export const flags = (camera, since) => call("GET", `api/v1/flags${query({ camera, since })}`);
export const counts = (values) => call("GET", `api/v1/counts${query(values)}`);
export const countsTable = (values) => `api/v1/counts${query({ ...values, format: "csv" })}`;
export const looking = () => call("GET", "api/v1/detect");
export const lookAgain = () => call("POST", "api/v1/detect/retry");
export const outbox = () => call("GET", "api/v1/publish");
export const sendAgain = (id) => call("POST", `api/v1/publish/${id}/retry`);
export const discard = (id) => call("DELETE", `api/v1/publish/${id}`);
export const log = (values) => call("GET", `api/v1/log${query(values)}`);
export const refused = (values) => call("GET", `api/v1/refused${query(values)}`);

export const films = (id) => call("GET", `${at(id)}/timelapses`);
export const makeFilm = (id, wish) => call("POST", `${at(id)}/timelapses`, wish);
export const dropFilm = (id, film) => call("DELETE", `${at(id)}/timelapses/${film}`);
export const videoOf = (id, film, save = false) => `${at(id)}/timelapses/${film}/video${save ? "?download=true" : ""}`;

export const imageOf = (id) => `${photoAt(id)}/image`;
export const downloadOf = (id) => `${photoAt(id)}/image?download=true`;
export const thumbnailOf = (id, width = 320) => `${photoAt(id)}/thumbnail?width=${width}`;
export const refusedImage = (id) => `api/v1/refused/${encodeURIComponent(id)}/image`;

const WAIT = 15;
const PATIENCE = 60;

// Ends when the board has done it; fails with the board's reason.
export async function command(id, name, values = {}) {
  let said = await call("POST", `${at(id)}/commands?wait=${WAIT}`, { command: name, ...values });
  const since = Date.now();
  while (said.state === "waiting") {
    if (Date.now() - since > PATIENCE * 1000) throw new Problem(0, t("board-no-answer"));
    await new Promise((go) => setTimeout(go, 1000));
    said = await call("GET", `${at(id)}/commands/${said.id}`);
  }
  if (said.state === "failed") throw new Problem(0, said.why || t("board-refused"));
  return said;
}

// What failed is asked for again after so many milliseconds, by whoever still shows that it did.
export const AGAIN = 3000;

// A sentence for people.
export function because(error) {
  if (!(error instanceof Problem)) return String(error.message ?? error);
  if (error.status === 0 || !error.status) return boardSaid(error.message);
  return error.detail || error.message;
}

// Boards answer in a few words of their own: "range quality", "unknown sleep".
function boardSaid(text) {
  const found = /\b(range|unknown|camera|busy|full|update|timeout)\b(?: ([a-z_]+))?$/.exec(text ?? "");
  if (!found) return text;
  const word = known(`board-${found[1]}`, "");
  return word ? t(`board-${found[1]}`, { name: found[2] ? known(`set-${found[2]}`, found[2]) : "" }) : text;
}
