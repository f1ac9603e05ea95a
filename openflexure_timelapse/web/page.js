/* Puts the parts together: three views, one of them shown. */

import { post } from "./api.js";
import { at, el, say, show } from "./dom.js";
import { Look } from "./look.js";
import { Run } from "./run.js";
import { Setup } from "./setup.js";
import { Watch } from "./watch.js";
import { ACTIVE } from "./words.js";

const TITLES = { setup: "setup-title", run: "run-name", look: "look-title" };
const FIRST_MS = 4000;

let view = "";
let startWarnings = [];

function open(name, { focus = true } = {}) {
  if (view === "look" && name !== "look") look.close();
  view = name;
  for (const each of Object.keys(TITLES)) show(at(each), each === name);
  for (const one of document.querySelectorAll("[data-view]")) {
    if (one.dataset.view === name) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  show(at("first"), false);
  run.see(name === "run");
  if (name === "look") look.refresh();
  if (name === "setup") setup.changed();
  if (focus) at(TITLES[name]).focus();
}

const look = new Look();
const run = new Run((status) => watch.take(status));
const setup = new Setup(async (id, warnings) => {
  startWarnings = warnings;
  await watch.soon();
  await watch.soon();
  open("run");
});

/* Who would hear of a run that fails: kinds of ways, never addresses. */
function tells({ tells: ways }) {
  const key = ways && ways.join(", ");
  if (!ways || at("tells").dataset.key === key) return;
  at("tells").dataset.key = key;
  say(at("tells"), key ? `If something goes wrong, people are told by ${key}.`
    : "Nobody is told if something goes wrong; the microscope's administrator can set that up.");
  show(at("tell-test"), key !== "");
}

at("tell-test").addEventListener("click", async () => {
  try {
    await post("notify_test");
    say(at("tells"), "A test message is on its way. What cannot be delivered is told here in a minute.");
  } catch (error) {
    say(at("tells"), error.message);
  }
});

function told(status) {
  tells(status);
  const active = ACTIVE.includes(status.phase);
  run.show(status);
  look.follow(status);
  if (status.phase !== "unavailable") setup.begin();
  setup.busy(status, active);
  show(at("now-dot"), active);
  if (!active) startWarnings = [];
  showWarnings([...startWarnings, ...status.warnings]);
  if (!view) open(["idle", undefined].includes(status.phase) ? "setup" : "run", { focus: false });
}

function showWarnings(warnings) {
  const list = at("warnings");
  const key = JSON.stringify(warnings);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...warnings.map((text) => el("li", { text, className: "note warn" })));
  show(list, warnings.length > 0);
}

const watch = new Watch(told, (is) => show(at("offline"), is));

for (const one of document.querySelectorAll("[data-view], [data-go]")) {
  one.addEventListener("click", () => open(one.dataset.view || one.dataset.go));
}
at("run-look").addEventListener("click", () => { const { id } = run; open("look", { focus: false }); look.show(id); });

async function takeUp(verb) {
  show(at("waiting-refused"), false);
  try {
    watch.take(await post(verb));
    open("run");
  } catch (error) {
    say(at("waiting-refused"), error.message);
    show(at("waiting-refused"), true);
  }
}
at("waiting-on").addEventListener("click", () => takeUp("resume"));
at("waiting-end").addEventListener("click", () => takeUp("stop"));

setTimeout(() => {
  if (view) return;
  say(at("first"), "The microscope has not answered yet. This page keeps trying; check that it is switched on.");
}, FIRST_MS);

setup.begin();
watch.soon();
