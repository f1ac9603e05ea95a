/* The run that is under way, or that ended last. */

import { fileAddress, frameAddress, getQuietly, path, post } from "./api.js";
import { at, confirm, el, facts, say, show } from "./dom.js";
import { Curves } from "./curves.js";
import { Shelf } from "./movies.js";
import { bytes, countdown, milliseconds, moment, whole } from "./numbers.js";
import { Timeline } from "./timeline.js";
import { ACTIVE, outcomeText, phaseText } from "./words.js";

const WIDTH = 640;
const REST_MS = 4000;
const CURVES_MS = 20000;
const TICK_MS = 500;

export class Run {
  /* `told(status)` takes the status that a button's verb answers. */
  constructor(told) {
    this.told = told;
    this.id = null;
    this.isSeen = false;
    at("pause").addEventListener("click", () => this.steer("pause"));
    at("resume").addEventListener("click", () => this.steer("resume"));
    at("stop").addEventListener("click", () => this.stop());
    setInterval(() => { if (!document.hidden) this.count(); }, TICK_MS);
  }

  show(status) {
    const known = ACTIVE.includes(status.phase) || status.phase === "ended";
    show(at("no-run"), !known);
    show(at("run-body"), known);
    this.status = status;
    this.heard = performance.now();
    if (!known) {
      say(at("run-name"), status.phase === "unavailable" ? "The microscope is not ready" : "No time-lapse yet");
      say(at("phase"), status.phase === "unavailable" ? status.detail : "");
      this.begin(null);
      return;
    }
    this.begin(status.run_id);
    this.isActive = ACTIVE.includes(status.phase);
    say(at("run-name"), status.name);
    say(at("phase"), phaseText(status));
    this.facts(status);
    show(at("run-buttons"), this.isActive && status.phase !== "finishing");
    show(at("pause"), ["waiting", "running"].includes(status.phase));
    at("pause").disabled = status.phase === "waiting";
    show(at("resume"), status.phase === "paused");
    show(at("run-after"), !this.isActive);
    show(at("next"), this.isActive && status.phase !== "finishing");
    this.count();
    if (this.isSeen) this.more();
  }

  /* What costs more than the status: only while somebody looks at it. */
  see(is) {
    this.isSeen = is;
    if (is && this.id) this.more();
  }

  more() {
    this.pictures(this.status);
    this.rest(this.status);
  }

  /* Lays out a run that is not the one shown before. */
  begin(id) {
    if (id === this.id) return;
    this.id = id;
    if (this.shelf) this.shelf.close();
    this.key = this.phase = null;
    this.curvesAt = -CURVES_MS;
    this.restAt = -REST_MS;
    show(at("run-refused"), false);
    if (id === null) return;
    this.shelf = new Shelf(id);
    this.timeline = new Timeline(id);
    this.curves = new Curves(id);
    at("last").replaceChildren(el("figure", {}, el("div", { className: "frame" }, el("p", { className: "quiet", text: "The first frame will stand here." }))));
    at("run-timeline").replaceChildren(this.timeline.element);
    at("run-curves").replaceChildren(this.curves.element);
    at("run-movies").replaceChildren(this.shelf.element);
  }

  count() {
    const { status } = this;
    if (!status || !this.isActive) return;
    if (status.phase === "paused") { say(at("next-in"), "when you go on"); return; }
    const due = status.next_due_in_s;
    if (due === null || due === undefined) { say(at("next-in"), "none, the last one is taken"); return; }
    const left = Math.max(0, due - (performance.now() - this.heard) / 1000);
    say(at("next-in"), left > 0.5 ? `in ${countdown(left)}` : "now");
  }

  facts(status) {
    const { counts, slots } = status;
    const captured = counts.captured + counts.late;
    const off = { late: counts.late, skipped: counts.skipped, failed: counts.failed };
    facts(at("run-facts"), [
      ["Captured", slots ? `${whole(captured)} of ${whole(slots)}` : whole(captured)],
      ["Not as planned", outcomeText(off)],
      ["Lateness", status.lateness_last_ms === null ? "" : `${milliseconds(status.lateness_last_ms)}, 99 % within ${milliseconds(status.lateness_p99_ms)}`],
      ["Space used", bytes(status.bytes_used)],
      ["Space free", status.bytes_free === null ? "" : bytes(status.bytes_free)],
      ["Disk full", status.disk_full_at ? moment(status.disk_full_at) : ""],
      ["Not written yet", status.rows_waiting ? `${whole(status.rows_waiting)} rows` : ""],
    ]);
  }

  /* ----------------------------------------------------------------------- pictures */

  async pictures(status) {
    const { last_frame: last } = status;
    const key = last ? last.n : null;
    if (!last || key === this.key) return;
    this.key = key;
    const id = this.id;
    const told = await getQuietly(path("runs", id, "positions"));
    if (id !== this.id) return;
    const places = told ? told.positions.filter((place) => place.last) : [{ name: last.position, last }];
    places.forEach((place, index) => this.picture(place, index, places.length));
  }

  picture({ name, last }, index, of) {
    const box = at("last");
    box.classList.toggle("many", of > 1);
    let figure = box.children[index];
    if (!figure || !figure.querySelector("img")) {
      const made = el("figure", {}, el("div", { className: "frame" }, el("a", { target: "_blank", rel: "noopener" }, el("img", { decoding: "sync" }))),
        el("figcaption", { className: "small quiet" }));
      if (figure) figure.replaceWith(made);
      else box.append(made);
      figure = made;
    }
    const image = figure.querySelector("img");
    if (image.dataset.n === String(last.n)) return;
    image.dataset.n = String(last.n);
    image.onload = () => { image.closest(".frame").style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`; };
    image.onerror = () => { image.dataset.n = ""; };
    image.src = frameAddress(this.id, last.n, of > 1 ? WIDTH / 2 : WIDTH);
    image.alt = `Newest frame${name === "here" ? "" : ` of ${name}`}, time point ${last.slot + 1}`;
    figure.querySelector("a").href = frameAddress(this.id, last.n);
    const caption = figure.querySelector("figcaption");
    caption.dir = "auto";
    say(caption, [name === "here" ? "" : name, `time point ${whole(last.slot + 1)}`, last.time ? moment(last.time) : "",
      Number.isFinite(last.z) ? `z ${whole(last.z)} steps` : ""].filter(Boolean).join(" · "));
  }

  /* ------------------------------------------------------------ what costs a bit more */

  rest(status) {
    const now = performance.now();
    const changed = status.phase !== this.phase;
    if (changed) {
      this.phase = status.phase;
      if (["finishing", "ended"].includes(status.phase)) this.shelf.update();
    }
    const decided = JSON.stringify(status.counts);
    if (decided !== this.decided && (changed || now - this.restAt > REST_MS)) {
      this.decided = decided;
      this.restAt = now;
      this.timeline.update(status.counts);
    }
    if (changed || (this.isActive && now - this.curvesAt > CURVES_MS)) {
      this.curvesAt = now;
      this.curves.update();
      this.soFar();
    }
  }

  /* The films so far; of a run that has ended the shelf tells. */
  async soFar() {
    const { id } = this;
    const told = await getQuietly(path("runs", id, "files"));
    if (id !== this.id || !told) return;
    const films = told.files.filter(({ name }) => this.isActive && name.endsWith("_so_far.mp4"));
    at("run-movies").replaceChildren(this.shelf.element, ...films.map(({ name }) =>
      el("a", { href: fileAddress(id, name), target: "_blank", className: "button", text: `Film so far: ${name.slice(7, -11)}` })));
  }

  /* ------------------------------------------------------------------------ buttons */

  async steer(verb) {
    const buttons = at("run-buttons").querySelectorAll("button");
    buttons.forEach((one) => { one.disabled = true; });
    show(at("run-refused"), false);
    try {
      this.told(await post(verb));
    } catch (error) {
      say(at("run-refused"), error.message);
      show(at("run-refused"));
    } finally {
      buttons.forEach((one) => { one.disabled = false; });
      at("pause").disabled = this.status.phase === "waiting";
      if (document.activeElement === document.body) {
        const next = [at("pause"), at("resume")].find((one) => one.offsetParent && !one.disabled);
        (next || at("run-name")).focus();
      }
    }
  }

  async stop() {
    const { slots, counts } = this.status;
    const left = slots ? slots - Object.values(counts).reduce((sum, count) => sum + count, 0) : 0;
    const sure = await confirm({
      title: "Stop this time-lapse?",
      text: `${left > 0 ? `${whole(left)} time points are still to come. ` : ""}The frames so far are kept and the movie is made of them. A stopped run cannot go on.`,
      yes: "Stop it", no: "Let it go on",
    });
    if (sure) await this.steer("stop");
  }
}
