/* The pictures of a bundle: those that are suggested, and others in their place. */

import { frameAddress } from "./api.js";
import { button, el, say, show } from "./dom.js";
import { moment, whole } from "./numbers.js";

export class Stills {
  /* `player` shows the run; `changed()` is called when other ones are chosen. */
  constructor(player, changed) {
    this.player = player;
    this.changed = changed;
    this.items = [];
    this.told = el("legend");
    this.list = el("ul", { className: "last many stills" });
    this.element = el("fieldset", { hidden: true, oninput: () => this.tell() }, this.told, this.list,
      el("div", { className: "buttons" }, button("Add the frame that is shown above", () => this.take(), { glyph: "add" })));
  }

  /* Those of another destination or position begin `anew`. */
  set({ most, each, stills }, anew) {
    this.limit = `${most}${each && this.player.place ? " of each position" : ""}`;
    if (anew) {
      this.items = [];
      this.list.replaceChildren();
      for (const still of stills) this.add(still, !still.flags.length);
      this.first = String(this.numbers());
    }
    show(this.element, stills.length > 0);
    this.tell();
  }

  numbers() { return this.items.filter(({ tick }) => tick.checked).map(({ row }) => row.n); }

  /* The numbers to order: none for those that are suggested, null where none is wanted. */
  chosen() {
    const numbers = this.numbers();
    return String(numbers) === this.first ? [] : numbers.length ? numbers : null;
  }

  tell() { say(this.told, `Pictures: ${this.numbers().length}, at most ${this.limit}`); }

  take() {
    const { row } = this.player;
    if (row && this.isFree(row)) this.add(row);
    this.changed();
  }

  isFree({ n }) { return this.items.every(({ row }) => row.n !== n); }

  add(row, checked = true) {
    const item = { row, tick: el("input", { type: "checkbox", checked }) };
    const picture = el("img", { loading: "lazy" });
    const about = el("span", { className: "small quiet" });
    const sign = () => {
      const { n, position, slot, time } = item.row;
      picture.src = frameAddress(this.player.run.run, n, 160);
      picture.alt = `Frame ${n}`;
      picture.title = moment(time);
      say(about, `${this.player.place ? `${position}, ` : ""}time point ${whole(slot + 1)}`);
      this.tell();
    };
    const step = (by) => async () => {
      const { position, plane } = item.row;
      const next = await this.player.index.beside(item.row, by, (other) => other.position === position && other.plane === plane && this.isFree(other));
      if (!next) return;
      item.row = next;
      item.tick.checked = true;
      sign();
      this.changed();
    };
    this.items.push(item);
    this.list.append(el("li", {}, el("label", { className: "frame" }, item.tick, picture), el("div", { className: "row" },
      button("", step(-1), { glyph: "back", label: "Frame before" }), button("", step(1), { glyph: "next", label: "Next frame" })), about));
    sign();
  }
}
