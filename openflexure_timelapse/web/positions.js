/* The list of places that a plan visits: add, name, reorder, remove, go there. */

import { get, post } from "./api.js";
import { at, button, el, say } from "./dom.js";
import { many, whole } from "./numbers.js";

export class Positions {
  constructor(changed) {
    this.changed = changed;
    this.places = [];
    at("add-position").addEventListener("click", () => this.add());
  }

  set(places) {
    this.places = places;
    this.draw();
  }

  draw() {
    say(at("places-count"), this.places.length ? many(this.places.length, "position") : "stay here");
    at("positions").replaceChildren(...this.places.map((place, index) => this.row(place, index)));
  }

  row(place, index) {
    const name = el("input", { value: place.name, maxLength: 80, dir: "auto", name: `position-${index}`,
      "aria-label": `Name of position ${index + 1}`,
      oninput: () => { place.name = name.value; sign(); this.changed(); } });
    const acts = [];
    const act = (glyph, label, does, off) => {
      const made = button("", does, { glyph, kind: "glyph" });
      made.disabled = Boolean(off);
      acts.push([made, label]);
      return made;
    };
    const sign = () => {
      for (const [made, label] of acts) {
        made.title = `${label} ${place.name || `position ${index + 1}`}`;
        made.setAttribute("aria-label", made.title);
      }
    };
    const where = `x ${whole(place.x)}, y ${whole(place.y)}, z ${whole(place.z)} steps`;
    const row = el("li", {}, name, el("div", { className: "row wrap" },
      el("span", { className: "quiet small grow", text: where }),
      act("up", "Move up", () => this.move(index, -1), index === 0),
      act("down", "Move down", () => this.move(index, 1), index === this.places.length - 1),
      act("go", "Go to", () => this.go(place)),
      act("close", "Remove", () => this.remove(index))));
    sign();
    return row;
  }

  tell(text) { say(at("position-told"), text); }

  async add() {
    try {
      const { x, y, z } = (await get("microscope")).stage.position;
      const names = new Set(this.places.map((place) => place.name));
      let number = this.places.length + 1;
      while (names.has(`Position ${number}`)) number += 1;
      this.places = [...this.places, { name: `Position ${number}`, x, y, z }];
      this.draw();
      this.changed();
      this.tell("");
      const input = at("positions").lastChild.querySelector("input");
      input.focus();
      input.select();
    } catch (error) {
      this.tell(error.message);
    }
  }

  move(index, by) {
    const places = [...this.places];
    const [place] = places.splice(index, 1);
    places.splice(index + by, 0, place);
    this.set(places);
    this.changed();
    const row = at("positions").children[index + by];
    const again = row.querySelectorAll("button")[by < 0 ? 0 : 1];
    (again.disabled ? row.querySelector("input") : again).focus();
    this.tell(`${place.name} is now number ${index + by + 1}.`);
  }

  remove(index) {
    const [gone] = this.places.splice(index, 1);
    this.draw();
    this.changed();
    const row = at("positions").children[Math.min(index, this.places.length - 1)];
    (row ? row.querySelector("input") : at("add-position")).focus();
    this.tell(`${gone.name} is removed.`);
  }

  async go(place) {
    this.tell(`Going to ${place.name} …`);
    try {
      await post("go_to", { x: place.x, y: place.y, z: place.z });
      this.tell(`The stage is at ${place.name}.`);
    } catch (error) {
      this.tell(error.message);
    }
  }
}
