/* How the time points of a run ended, along its length; tap for the reason. */

import { get, getQuietly, path } from "./api.js";
import { el, say, show, svg } from "./dom.js";
import { whole } from "./numbers.js";
import { OUTCOMES, outcomeText, reasonText } from "./words.js";

const MOST_BINS = 60;
const HEIGHT = 28;
const REASONS_SHOWN = 4;

export class Timeline {
  /* `picked(slot)` when a stretch is chosen. */
  constructor(run, picked = () => {}) {
    this.run = run;
    this.picked = picked;
    this.bins = [];
    this.total = 1;
    this.chosen = -1;
    this.chart = svg("svg", { viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.bar = el("div", { className: "timeline", tabIndex: 0, role: "slider", "aria-label": "Outcomes along the run",
      "aria-valuemin": "1", onkeydown: (event) => this.key(event), onclick: (event) => this.click(event) }, this.chart);
    this.legend = el("p", { className: "legend small" });
    this.reason = el("p", { className: "small reason", role: "status" });
    this.element = el("div", { hidden: true }, this.bar, this.legend, this.reason);
  }

  /* Asks again; `counts` are the run's own. */
  async update(counts) {
    const found = await getQuietly(`${path("runs", this.run, "timeline")}?bins=${MOST_BINS}`);
    if (!found) return;
    show(this.element, found.bins.length > 0);
    if (!found.bins.length) return;
    this.bins = found.bins;
    const last = this.bins[this.bins.length - 1].last + 1;
    this.total = Math.max(found.slots || last, last);
    this.draw();
    this.tellLegend(counts);
  }

  draw() {
    const x = (slot) => (slot / this.total) * 1000;
    const shapes = [];
    this.bins.forEach((bin, index) => {
      const size = bin.last - bin.first + 1;
      const width = Math.max(1, x(size) - (this.bins.length < 100 ? Math.min(3, x(size) / 6) : 0));
      let y = HEIGHT;
      for (const name of OUTCOMES) {
        const height = ((bin[name] || 0) / size) * HEIGHT;
        if (!height) continue;
        y -= height;
        shapes.push(svg("rect", { x: x(bin.first), y, width, height, class: name }));
      }
      if (index === this.chosen) shapes.push(svg("rect", { x: x(bin.first), y: 0, width, height: HEIGHT, class: "chosen" }));
    });
    this.chart.replaceChildren(...shapes);
    this.bar.setAttribute("aria-valuemax", String(this.total));
    this.tellValue();
  }

  tellLegend(counts) {
    const names = OUTCOMES.filter((name) => counts[name]);
    const key = JSON.stringify(names.map((name) => counts[name]));
    if (key === this.legend.dataset.key) return;
    this.legend.dataset.key = key;
    this.legend.replaceChildren(...names.map((name) => el("span", {}, el("i", { className: name }), `${whole(counts[name])} ${name}`)));
  }

  tellValue() {
    const bin = this.bins[this.chosen];
    this.bar.setAttribute("aria-valuenow", String(bin ? bin.first + 1 : 1));
    this.bar.setAttribute("aria-valuetext", bin ? binText(bin) : "Choose a stretch with the arrow keys");
  }

  click(event) {
    const box = this.bar.getBoundingClientRect();
    const slot = ((event.clientX - box.left) / box.width) * this.total;
    const index = this.bins.findIndex((bin) => slot < bin.last + 1);
    if (index >= 0) this.choose(index);
    else say(this.reason, "This is still to come.");
  }

  key(event) {
    const last = this.bins.length - 1;
    const to = { ArrowLeft: this.chosen - 1, ArrowDown: this.chosen - 1, ArrowRight: this.chosen + 1,
      ArrowUp: this.chosen + 1, Home: 0, End: last, PageUp: this.chosen + 10, PageDown: this.chosen - 10 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.choose(Math.max(0, Math.min(last, to)));
  }

  async choose(index) {
    const bin = this.bins[index];
    this.chosen = index;
    this.draw();
    this.picked(bin.first);
    say(this.reason, binText(bin));
    if (!bin.late && !bin.skipped && !bin.failed) return;
    try {
      const told = (await this.reasons(bin)).join(" ");
      if (this.chosen === index && told) say(this.reason, `${binText(bin)} ${told}`);
    } catch { /* the counts stand there already */ }
  }

  async reasons(bin) {
    const rows = (await this.rowsFrom(bin.first)).filter((row) => row.outcome !== "captured" && row.first <= bin.last && row.last >= bin.first);
    const told = new Map();
    for (const row of rows) {
      const text = reasonText(row.reason) || row.detail || row.reason || "";
      const detail = row.detail && row.detail !== text && !["paused", "overdue", "interrupted"].includes(row.reason) ? ` (${row.detail})` : "";
      const key = `${row.outcome}: ${text}`;
      if (text && !told.has(key)) told.set(key, `${span(row)} ${row.outcome}: ${text}${detail}`);
    }
    return [...told.values()].slice(0, REASONS_SHOWN);
  }

  /* A page of outcomes that begins at or before a time point. Rows cover one time point
     or more, so that a row's number is never above its first time point. */
  async rowsFrom(slot) {
    const page = async (after) => (await get(`${path("runs", this.run, "slots")}?after=${after}&limit=100`)).slots;
    let low = 0;
    let high = slot;
    let after = slot;
    for (;;) {
      const rows = await page(after);
      if (rows.length && rows[0].first <= slot && (rows[rows.length - 1].last >= slot || low >= high)) return rows;
      if (!rows.length || rows[0].first > slot) high = after - 1;
      else low = after + rows.length;
      if (low > high) return rows;
      after = Math.floor((low + high) / 2);
    }
  }
}

const span = (row) => (row.first === row.last ? `Time point ${whole(row.first + 1)}` : `Time points ${whole(row.first + 1)} to ${whole(row.last + 1)}`);

const binText = (bin) => `${span(bin)}: ${outcomeText(bin) || "nothing yet"}.`;
