// How far the detector is with the photos, what it could not look at; and what nobody took that
// other programs were to be told.

import * as api from "./api.js";
import { fleet } from "./fleet.js";
import { h, icon, setAttr, setText } from "./dom.js";
import { toast } from "./toast.js";
import { known, moment, number, t } from "./words.js";

const EVERY = 5000;
const CALM = 60_000;
const BRIEF = 160;
// So many wait wherever photos come all the time: a line that comes and goes would move the page.
const FEW = 10;

// Asks now and then, oftener while there is something to wait for; *tell* is given what is said,
// *fail* why nothing was.
function follow(life, ask, busy, tell, fail = () => {}) {
  let timer = 0;
  async function look() {
    clearTimeout(timer);
    const said = await ask().catch((error) => (life.ended || fail(error), null));
    if (life.ended) return;
    if (said) tell(said);
    timer = setTimeout(() => (document.hidden ? (timer = setTimeout(look, EVERY)) : look()), said && busy(said) ? EVERY : CALM);
  }
  life.add(() => clearTimeout(timer));
  look();
  return look;
}

// Whether it is not what was said before: who is on a button stays there.
function news() {
  let before = "";
  return (said) => {
    const now = JSON.stringify(said);
    if (now === before) return false;
    before = now;
    return true;
  };
}

const sentence = (said) =>
  [said.waiting ? t("looking-waiting", { n: said.waiting }) : "", said.rate ? t("looking-rate", { rate: number(Math.round(said.rate * 10) / 10) }) : "", said.aside ? t("looking-aside", { n: said.aside }) : "", said.error ?? ""].filter(Boolean).join(" · ");

// A line for the pages' heads; nothing is there while nothing waits.
export function lookingLine(life) {
  const text = h("span", {});
  const node = h("a", { class: "notice looking", href: "#/log/looking", hidden: true }, icon("eye"), text);
  let soon = 0;
  const look = follow(life, api.looking, (said) => said.waiting > 0, (said) => {
    node.hidden = said.waiting <= FEW && !said.aside && !said.error;
    setAttr(node, "data-bad", said.aside || said.error ? "" : null);
    setText(text, sentence(said));
  });
  life.add(
    fleet.onItem((kind) => {
      if (kind !== "photo" || soon || node.hidden) return;
      soon = setTimeout(() => ((soon = 0), look()), EVERY);
    }),
  );
  life.add(() => clearTimeout(soon));
  return node;
}

export function lookingTab(root, life) {
  const line = h("p", {});
  const button = h("button", { type: "button", class: "button", hidden: true, onclick: again }, icon("reboot"), h("span", { text: t("looking-again") }));
  const list = h("div", { class: "letters" });
  root.append(h("div", { class: "tools" }, line, button), list);
  const fresh = news();
  const look = follow(life, api.looking, () => true, (said) => {
    const text = !said.enabled ? t("looking-off") : sentence(said) || t("looking-done");
    line.replaceChildren(h("b", { text: said.model ?? "" }), said.model ? " · " : "", text);
    setAttr(line, "class", null);
    button.hidden = !(said.aside && said.enabled && api.may("control"));
    if (!fresh(said.set_aside)) return;
    list.replaceChildren(
      ...said.set_aside.map((one) => h("article", { class: "letter panel" },
        h("a", { class: "shot", href: `#/photo/${encodeURIComponent(one.photo)}` }, h("img", { src: api.thumbnailOf(one.photo), alt: "", loading: "lazy" })),
        h("div", { class: "text" }, h("a", { href: `#/camera/${encodeURIComponent(one.camera)}`, text: one.camera }), h("span", { class: "soft", text: moment(one.when * 1000) }), h("span", { text: one.why })))),
    );
  }, (error) => {
    setText(line, api.because(error));
    setAttr(line, "class", "bad");
  });
  async function again() {
    try {
      const { again: many } = await api.lookAgain();
      toast(t("looking-begun", { n: many }));
      look();
    } catch (error) {
      toast(api.because(error), "bad");
    }
  }
}

// What a letter says to people, be it for programs.
function brief(body) {
  let text = body;
  try {
    const { data, text: line, content } = JSON.parse(body);
    text = data ? [data.name || data.camera, data.text].filter(Boolean).join(": ") : line ?? content ?? body;
  } catch {
    // it is plain text
  }
  return String(text).slice(0, BRIEF);
}

const target = (name, how, why, mark = "") => h("li", {}, mark && icon(mark), h("b", { text: name }), " ", how, why ? h("span", { class: "bad", text: ` · ${why}` }) : "");

export function sendingTab(root, life) {
  const head = h("div", { class: "tools" });
  const list = h("div", { class: "letters" });
  root.append(head, list);
  const [fresh, freshDead] = [news(), news()];
  const look = follow(life, api.outbox, () => true, (said) => {
    const { dead, ...rest } = said;
    if (fresh([rest, dead.length])) head.replaceChildren(
      !said.enabled ? h("p", { text: t("sending-off") })
        : h("ul", { class: "targets" },
            said.targets.map((one) => target(one.target, one.waiting ? t("sending-waiting", { n: one.waiting }) : t("sending-done"), one.why)),
            said.mqtt && target(`MQTT ${said.mqtt.host}`, t(said.mqtt.connected ? "link-open-there" : "link-lost"), said.mqtt.why),
            said.alerts.map((one) => target(one.alert, [one.rule, one.camera, moment(one.since * 1000)].filter(Boolean).join(" · "), null, "alert"))),
      ...(said.enabled && !dead.length ? [h("p", { class: "soft", text: t("nothing-dead") })] : []),
    );
    if (freshDead(dead)) list.replaceChildren(
      ...dead.map((one) => h("article", { class: "letter panel" },
        h("div", { class: "text" }, h("b", { text: one.target }), h("span", { text: [known(`kind-${one.kind}`, one.kind), brief(one.body)].join(": ") }), h("span", { class: "soft", text: [moment(one.given_up * 1000), t("tries", { n: one.tries }), one.why].join(" · ") })),
        api.may("control") && h("div", { class: "row" },
          h("button", { type: "button", class: "button", onclick: () => act(api.sendAgain, one) }, icon("send"), h("span", { text: t("send-again") })),
          h("button", { type: "button", class: "button danger square", "aria-label": t("discard"), title: t("discard"), onclick: () => act(api.discard, one) }, icon("trash"))))),
    );
  }, (error) => {
    fresh(null);
    head.replaceChildren(h("p", { class: "bad", text: api.because(error) }));
  });
  async function act(work, one) {
    await work(one.id).catch((error) => toast(api.because(error), "bad"));
    look();
  }
}
