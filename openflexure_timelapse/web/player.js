/* Scrubs and plays a run's frames from previews. */

import { button, el, icon, say, show } from "./dom.js";
import { FrameIndex, Previews } from "./frames.js";
import { duration, moment, typed, whole } from "./numbers.js";
import { flagText } from "./words.js";

const AHEAD = 10;
const NARROW = 480;
const DEFAULT_FPS = 15;

export class Player {
  /* `run`: {run, frames, slots, positions, planes}; `moved(slot)` after each frame. */
  constructor(run, moved = () => {}) {
    this.run = run;
    this.moved = moved;
    this.index = new FrameIndex(run.run, run.frames, run.slots);
    const width = window.innerWidth < NARROW && window.devicePixelRatio < 2 ? 320 : 640;
    this.previews = new Previews(run.run, width);
    this.row = null;
    this.wanted = 0;
    this.turn = 0;
    this.timer = 0;
    this.element = this.build();
  }

  build() {
    this.picture = el("img", { alt: "", decoding: "sync" });
    this.overlay = el("div", { className: "overlay", hidden: true });
    this.caption = el("p", { className: "small caption", id: "frame-told" });
    this.slider = el("input", { type: "range", min: 0, max: Math.max(0, this.run.slots - 1), value: 0, step: 1,
      "aria-label": "Time point", oninput: () => { this.stop(); this.seek(Number(this.slider.value)); } });
    this.playButton = el("button", { type: "button", className: "glyph main", onclick: () => (this.timer ? this.stop() : this.play()) }, icon("play"));
    this.speed = el("select", { "aria-label": "Speed of playing", onchange: () => { if (this.timer) this.play(); } },
      [1, 5, 15, 30].map((fps) => el("option", { value: fps, text: `${fps} frames/s`, selected: fps === DEFAULT_FPS })));
    const choices = [];
    if (this.run.positions.length > 1) {
      this.place = el("select", { "aria-label": "Position", onchange: () => this.seek(this.wanted) },
        this.run.positions.map((name) => el("option", { value: name, text: name })));
      choices.push(this.place);
    }
    if (this.run.planes > 1) {
      const middle = Math.floor(this.run.planes / 2);
      this.plane = el("select", { "aria-label": "Plane", onchange: () => this.seek(this.wanted) },
        Array.from({ length: this.run.planes }, (_, index) => el("option", { value: index,
          text: `Plane ${index + 1} of ${this.run.planes}`, selected: index === middle })));
      choices.push(this.plane);
    }
    this.sign();
    return el("figure", { className: "player" },
      el("div", { className: "frame" }, this.picture, this.overlay),
      this.slider,
      el("div", { className: "row wrap" },
        button("", () => this.step(-1), { glyph: "back", label: "Frame before", kind: "glyph" }),
        this.playButton,
        button("", () => this.step(1), { glyph: "next", label: "Next frame", kind: "glyph" }),
        this.speed, choices),
      this.caption);
  }

  sign() {
    const label = this.timer ? "Pause" : "Play";
    this.playButton.replaceChildren(icon(this.timer ? "pause" : "play"));
    this.playButton.setAttribute("aria-label", label);
    this.playButton.title = label;
  }

  fits() {
    const place = this.place ? this.place.value : null;
    const plane = this.plane ? Number(this.plane.value) : null;
    return (row) => (place === null || row.position === place) && (plane === null || row.plane === plane);
  }

  grow(frames, slots) {
    this.index.grow(frames, slots);
    this.slider.max = Math.max(0, this.index.slots - 1);
  }

  /* Shows the frame of a time point; of several calls the last one wins. */
  async seek(slot) {
    this.wanted = slot;
    const turn = this.turn += 1;
    try {
      const row = await this.index.find(slot, this.fits());
      if (turn !== this.turn) return;
      if (!row) { say(this.caption, "There is no frame yet."); return; }
      await this.display(row, turn, slot);
      if (turn === this.turn) await this.fetchAhead(row, 1, turn);
    } catch (error) {
      if (turn === this.turn) say(this.caption, error.message);
    }
  }

  async display(row, turn, slot = row.slot) {
    const url = await this.previews.load(row.n);
    if (turn !== this.turn) return;
    this.row = row;
    this.picture.src = url;
    this.picture.parentElement.style.aspectRatio = `${row.width} / ${row.height}`;
    this.picture.dataset.n = row.n;
    this.picture.alt = `Frame of time point ${slot + 1}`;
    this.slider.value = slot;
    this.slider.setAttribute("aria-valuetext", `${slot + 1} of ${this.index.slots}, ${moment(row.time)}`);
    const flags = flagText(row.flags);
    say(this.caption, [
      `Time point ${whole(row.slot + 1)} of ${whole(this.index.slots)}`, moment(row.time),
      `${duration(Math.max(0, row.elapsed_s))} after the start`,
      row.slot === slot ? "" : `no frame at time point ${whole(slot + 1)}, this is the one before`,
      `z ${whole(row.z)} steps`, flags && `looks ${flags}`,
    ].filter(Boolean).join(" · "));
    if (this.recipe) this.drawOverlay();
    this.moved(row.slot);
  }

  async fetchAhead(row, by, turn) {
    const fits = this.fits();
    const numbers = [];
    for (let other = row; numbers.length < AHEAD;) {
      other = await this.index.beside(other, by, fits);
      if (!other || turn !== this.turn) break;
      numbers.push(other.n);
    }
    if (turn === this.turn) this.previews.prefetch(numbers);
  }

  async step(by) {
    this.stop();
    const turn = this.turn += 1;
    if (!this.row) { await this.seek(0); return; }
    try {
      const row = await this.index.beside(this.row, by, this.fits());
      if (!row || turn !== this.turn) return;
      this.wanted = row.slot;
      await this.display(row, turn);
      if (turn === this.turn) await this.fetchAhead(row, by, turn);
    } catch (error) {
      say(this.caption, error.message);
    }
  }

  /* --------------------------------------------------------------------------- play */

  get fps() { return (this.recipe && this.recipe.fps) || typed(this.speed.value) || DEFAULT_FPS; }

  play() {
    clearTimeout(this.timer);
    this.timer = 1;
    this.sign();
    this.tick(performance.now());
  }

  async tick(due) {
    const turn = this.turn += 1;
    try {
      const fits = this.fits();
      const row = (this.row && await this.index.beside(this.row, 1, fits)) || await this.index.find(0, fits);
      if (!row || turn !== this.turn || !this.timer) { this.stop(); return; }
      this.wanted = row.slot;
      await this.display(row, turn);
      if (turn !== this.turn || !this.timer) return;
      this.fetchAhead(row, 1, turn).catch(() => {});
      const next = Math.max(due + 1000 / this.fps, performance.now());
      this.timer = setTimeout(() => this.tick(next), next - performance.now());
    } catch (error) {
      say(this.caption, error.message);
      this.stop();
    }
  }

  stop() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = 0;
    this.turn += 1;
    this.sign();
  }

  /* ------------------------------------------------------- how a movie would look */

  /* Plays with a recipe's speed and writing; null to go back. */
  preview(recipe) {
    this.recipe = recipe;
    show(this.overlay, Boolean(recipe));
    if (recipe) this.drawOverlay();
  }

  drawOverlay() {
    const { title, timestamp, elapsed_time: elapsed, scale_bar: bar } = this.recipe;
    const row = this.row;
    const lines = [title && el("b", { text: title, dir: "auto" }),
      timestamp && row && el("span", { text: row.time.replace("T", " ").slice(0, 19) }),
      elapsed && row && el("span", { text: `+${duration(Math.max(0, row.elapsed_s))}` }),
      bar && this.run.scale && el("span", { className: "bar", text: "scale bar" })].filter(Boolean);
    this.overlay.replaceChildren(...lines);
  }

  close() {
    this.stop();
    this.turn += 1;
    this.previews.close();
  }
}
