/* A field for the name of an organism, with the names of the person's own list below. */

import { get } from "./api.js";
import { el, say, show } from "./dom.js";

const ASK_MS = 200;
const IDS = [["aphia_id", "AphiaID"], ["dyntaxa_id", "Dyntaxa"], ["gbif_key", "GBIF"]];
const numbers = (taxon) => IDS.filter(([key]) => taxon[key]).map(([key, name]) => `${name} ${taxon[key]}`).join(", ");

export class Picker {
  /* `changed()` is called when another one is chosen; `source` names the list, if any. */
  constructor(changed, source) {
    this.changed = changed;
    this.source = source;
    this.kept = null;
    this.found = [];
    this.at = -1;
    this.list = el("ul", { id: "taxa", role: "listbox", "aria-label": "Names", hidden: true });
    this.told = el("span", { className: "small quiet", role: "status" });
    this.input = el("input", { name: "taxon", maxLength: 200, role: "combobox", "aria-expanded": "false", "aria-controls": "taxa", "aria-autocomplete": "list",
      oninput: () => this.typed(), onkeydown: (event) => this.key(event), onblur: () => this.fold() });
    this.element = el("div", { className: "picker" }, el("label", {}, "Organism ", this.input), this.told, this.list);
  }

  set(taxon) {
    this.kept = taxon;
    this.input.value = taxon ? taxon.name : "";
    say(this.told, taxon ? numbers(taxon) : "");
  }

  /* What was chosen stays whole as long as its name is not typed anew. */
  taxon(uncertain) {
    const name = this.input.value.trim();
    if (!name) return null;
    const kept = this.kept && this.kept.name === name ? this.kept : { identified_by: (this.kept || {}).identified_by || "" };
    return { name, rank: kept.rank || null, aphia_id: kept.aphia_id || null, dyntaxa_id: kept.dyntaxa_id || null, gbif_key: kept.gbif_key || null,
      uncertain, identified_by: kept.identified_by || "" };
  }

  typed() {
    const is = this.kept && this.kept.name === this.input.value.trim();
    say(this.told, is ? numbers(this.kept) : "");
    clearTimeout(this.timer);
    if (this.source) this.timer = setTimeout(() => this.ask(), ASK_MS);
  }

  async ask() {
    const query = this.input.value.trim();
    let taxa = [];
    try {
      if (query) ({ taxa } = await get(`taxa?query=${encodeURIComponent(query)}`));
    } catch (error) {
      say(this.told, error.message);
    }
    if (query !== this.input.value.trim() || document.activeElement !== this.input) return;
    this.found = taxa;
    this.list.replaceChildren(...taxa.map((taxon, index) => el("li", { id: `taxon-${index}`, role: "option", "aria-selected": "false",
      onmousedown: (event) => { event.preventDefault(); this.choose(index); } },
    el("span", { text: `${taxon.name} ` }), el("span", { className: "small quiet", text: [taxon.authority, taxon.vernacular, taxon.rank, taxon.status !== "accepted" && taxon.status, numbers(taxon)].filter(Boolean).join(" · ") }))));
    this.point(-1);
    this.unfold(taxa.length > 0);
  }

  unfold(is) {
    show(this.list, is);
    this.input.setAttribute("aria-expanded", String(is));
  }

  fold() {
    this.unfold(false);
    this.point(-1);
  }

  point(index) {
    this.at = index;
    [...this.list.children].forEach((item, each) => {
      item.setAttribute("aria-selected", String(each === index));
      if (each === index) item.scrollIntoView({ block: "nearest" });
    });
    if (index < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `taxon-${index}`);
  }

  key(event) {
    const isOpen = !this.list.hidden;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && isOpen) this.point((this.at + step + this.found.length) % this.found.length);
    else if (event.key === "Enter" && isOpen && this.at >= 0) this.choose(this.at);
    else if (event.key === "Escape" && isOpen) this.fold();
    else return;
    event.preventDefault();
  }

  choose(index) {
    clearTimeout(this.timer);
    this.set({ ...this.found[index], identified_by: (this.kept || {}).identified_by || "" });
    this.fold();
    this.changed();
  }
}
