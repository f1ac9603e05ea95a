/* The runs on the microscope: a list in pages, and one of them in full. */

import { fileAddress, frameAddress, get, path, post } from "./api.js";
import { at, button, el, facts, icon, say, show } from "./dom.js";
import { Curves } from "./curves.js";
import { confirmedDelete, Maker, Shelf } from "./movies.js";
import { bytes, many, moment } from "./numbers.js";
import { Player } from "./player.js";
import { Share } from "./share.js";
import { Timeline } from "./timeline.js";
import { outcomeText } from "./words.js";

const PAGE = 40;

export class Look {
  constructor() {
    this.rows = new Map();
    this.open = null;
    at("more-runs").addEventListener("click", () => this.more());
    this.end = new IntersectionObserver((seen) => { if (seen.some((entry) => entry.isIntersecting)) this.more(); },
      { rootMargin: "300px" });
    this.end.observe(at("more-runs"));
  }

  /* ------------------------------------------------------------------------- list */

  /* Reads the newest page again; what was shown below it stays. */
  async refresh() {
    try {
      const { runs } = await get(`runs?limit=${PAGE}`);
      const fresh = new Set(runs.map((run) => run.run));
      for (const item of [...at("runs").children]) {
        if (!this.rows.has(item.dataset.run) || (this.rows.size <= PAGE && !fresh.has(item.dataset.run))) this.forget(item.dataset.run);
      }
      let before = at("runs").firstChild;
      for (const run of runs) {
        const item = this.item(run);
        if (item === before) before = before.nextSibling;
        else at("runs").insertBefore(item, before);
      }
      if (this.rows.size <= PAGE) this.ended(runs.length < PAGE);
      say(at("runs-told"), this.rows.size ? "" : "There is no run yet. Start one under New.");
    } catch (error) {
      if (!this.rows.size) say(at("runs-told"), error.message);
    }
  }

  async more() {
    if (this.isAsking || at("more-runs").hidden) return;
    this.isAsking = true;
    try {
      const last = at("runs").lastChild;
      const { runs } = await get(`runs?after=${encodeURIComponent(last.dataset.run)}&limit=${PAGE}`);
      at("runs").append(...runs.map((run) => this.item(run)));
      this.ended(runs.length < PAGE);
      this.end.unobserve(at("more-runs")); // tells once more, also where the end never left the window
      this.end.observe(at("more-runs"));
    } catch (error) {
      say(at("runs-told"), error.message);
    } finally {
      this.isAsking = false;
    }
  }

  ended(is) { show(at("more-runs"), !is); }

  forget(run) {
    const row = this.rows.get(run);
    if (row) row.item.remove();
    this.rows.delete(run);
  }

  item(run) {
    const key = JSON.stringify([run.frames, run.active, run.problem, run.bytes]);
    const kept = this.rows.get(run.run);
    if (kept && kept.key === key) return kept.item;
    const thumb = el("span", { className: "thumb" });
    if (run.frames) {
      const picture = el("img", { src: frameAddress(run.run, run.frames, 160), alt: "", loading: "lazy", width: 80, height: 60 });
      picture.addEventListener("error", () => picture.remove());
      thumb.append(picture);
    }
    const told = run.problem ? "damaged" : [run.frames === null ? "" : many(run.frames, "frame"), bytes(run.bytes)].filter(Boolean).join(", ");
    const act = el("button", { type: "button", onclick: () => this.show(run.run) }, thumb,
      el("span", { className: "told" }, el("b", { className: "name", text: run.name, dir: "auto" }),
        el("span", { className: "small", text: run.started ? moment(run.started) : run.run }),
        el("span", { className: "quiet small", text: run.active ? `under way, ${told}` : told })));
    const item = kept ? kept.item : el("li", { data: { run: run.run } });
    item.replaceChildren(act);
    this.rows.set(run.run, { key, item });
    this.sign(run.run, item);
    return item;
  }

  mark() { for (const [run, { item }] of this.rows) this.sign(run, item); }

  sign(run, item) {
    const is = Boolean(this.open && this.open.run === run);
    item.firstChild.setAttribute("aria-current", String(is));
  }

  /* ------------------------------------------------------------------------ one run */

  close() {
    if (!this.open) return;
    for (const part of [this.open.player, this.open.shelf, this.open.share]) if (part) part.close();
    this.open = null;
    show(at("one"), false);
    at("look").classList.remove("has-one");
    this.mark();
  }

  /* Lets the open run grow while it is under way. */
  follow({ run_id: run, last_frame: last, counts }) {
    if (!this.open || this.open.run !== run || !this.open.player || !last) return;
    this.open.player.grow(last.n, Object.values(counts).reduce((sum, count) => sum + count, 0));
  }

  back() {
    const { run } = this.open;
    this.close();
    const row = this.rows.get(run);
    (row ? row.item.firstChild : at("look-title")).focus();
  }

  async show(run) {
    this.close();
    const open = this.open = { run };
    this.mark();
    at("look").classList.add("has-one");
    const title = el("h2", { className: "name", tabIndex: -1, dir: "auto", text: run });
    const told = el("p", { className: "small", role: "status" });
    at("one").replaceChildren(button("All runs", () => this.back(), { glyph: "back", kind: "back" }), title, told);
    show(at("one"));
    title.focus();
    try {
      const found = await get(path("runs", run));
      if (this.open !== open) return;
      title.textContent = found.name;
      this.draw(open, found, told);
    } catch (error) {
      if (this.open !== open) return;
      say(told, error.message);
      const { item } = this.rows.get(run) || {};
      at("one").append(el("div", { className: "buttons" }, this.deleter({ run, name: item ? item.querySelector(".name").textContent : run, frames: null, bytes: null }, told)));
    }
  }

  draw(open, found, told) {
    const { run, name, counts, header } = found;
    const plan = header.plan;
    const decided = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const about = { run, frames: found.frames, slots: decided,
      positions: (plan.positions || []).map((place) => place.name), planes: (plan.planes || {}).count || 1,
      scale: header.camera && header.camera.um_per_pixel };
    if (!about.positions.length) about.positions = ["here"];
    const list = el("dl");
    facts(list, [["Started", moment(found.started)], ["Outcomes", outcomeText(counts)], ["Frames", `${found.frames.toLocaleString()}, ${bytes(found.bytes)}`]]);
    const timeline = new Timeline(run, (slot) => { if (open.player) open.player.stop(); if (open.player) open.player.seek(slot); });
    const curves = new Curves(run);
    const shelf = open.shelf = new Shelf(run);
    const parts = [list];
    if (found.frames) {
      open.player = new Player(about);
      parts.unshift(open.player.element, timeline.element);
      open.share = new Share(about, shelf, open.player);
      parts.push(new Maker(about, shelf, open.player).element, open.share.element);
    } else parts.unshift(timeline.element);
    const downloads = el("div", { className: "buttons" });
    shelf.onfiles = (files) => this.downloads(downloads, run, files);
    const actions = el("div", { className: "buttons" },
      button("Check the files", () => this.verify(run, shelf), { glyph: "check" }),
      this.deleter({ run, name, frames: found.frames, bytes: found.bytes }, told));
    at("one").append(...parts, shelf.element, curves.element, downloads, actions);
    if (open.player) open.player.seek(0);
    timeline.update(counts);
    shelf.update();
    curves.update();
  }

  downloads(element, run, files) {
    const own = files.filter((file) => !file.name.includes("/"));
    const key = JSON.stringify(own);
    if (element.dataset.key === key) return;
    element.dataset.key = key;
    element.replaceChildren(...own.map((file) => el("a", { className: "button", href: fileAddress(run, file.name), download: `${run}_${file.name}` },
      icon("save"), el("span", { text: `${file.name}, ${bytes(file.bytes)}` }))));
  }

  async verify(run, shelf) {
    try {
      const { job } = await post(`${path("runs", run)}/verify`);
      shelf.seen.add(job.job);
      say(shelf.told, "The files are being checked.");
      shelf.update();
    } catch (error) {
      say(shelf.told, error.message);
    }
  }

  deleter(run, told) {
    return button("Delete", async () => {
      try {
        if (!await confirmedDelete(run)) return;
        this.close();
        this.forget(run.run);
        say(at("runs-told"), "The run is deleted.");
        at("look-title").focus();
      } catch (error) {
        say(told, error.message);
      }
    }, { glyph: "bin", kind: "stop" });
  }
}
