/* Sharing a run: what is known of its sample, where it belongs, what is missing still. */

import { ask, get, path, post } from "./api.js";
import { el, icon, say, show } from "./dom.js";
import { bytes, moment, typed } from "./numbers.js";
import { Stills } from "./stills.js";
import { Picker } from "./taxa.js";

const SAVE_MS = 500;
const LICENCES = [["CC-BY-4.0", "CC BY 4.0"], ["CC0-1.0", "CC0, no rights"], ["CC-BY-SA-4.0", "CC BY-SA 4.0"],
  ["CC-BY-NC-4.0", "CC BY-NC 4.0"], ["CC-BY-ND-4.0", "CC BY-ND 4.0"]];
const ORIGINS = [["", "not told"], ["wild", "from the wild"], ["culture", "from a culture"], ["not_living", "no organism"]];
const PRIVACY = [["open", "everybody"], ["obscured", "roughly, everybody"], ["private", "nobody"]];
const NUMBERS = ["latitude", "longitude", "accuracy_m", "depth_min_m", "depth_max_m", "um_per_pixel"];
const CHOICES = ["origin", "licence", "geoprivacy"];
/* Group by group: the field, what it is called, its unit. */
const MORE = [
  ["The place", [["water_body", "Water"], ["country", "Country, as SE"], ["geographic_area", "Area, as Nordic Microalgae calls it"],
    ["accuracy_m", "Accuracy", "m"], ["depth_min_m", "Depth from", "m"], ["depth_max_m", "to", "m"]]],
  ["The sample", [["sampled_by", "Taken by"], ["sampling_method", "How it was taken"], ["preservation", "Preservation"], ["stain", "Stain"]]],
  ["The picture", [["instrument", "Microscope"], ["objective", "Objective"], ["um_per_pixel", "A pixel is", "µm"], ["calibration", "Measured how"],
    ["technique", "Technique"], ["contrast", "Contrast"]]],
  ["People", [["contributor", "Contributor"], ["organisation", "Organisation"], ["rights_holder", "Owner of the rights"]]],
];
const TEXTS = ["title", "caption", "place", "photographer", "notes",
  ...MORE.flatMap(([, fields]) => fields.map(([name]) => name)).filter((name) => !NUMBERS.includes(name))];
const unit = (input, text) => (text ? el("span", { className: "row" }, input, el("span", { className: "unit", text })) : input);
const choice = (name, rows) => el("select", { name }, rows.map(([value, text]) => el("option", { value, text })));
const grid = (...fields) => el("div", { className: "grid" }, ...fields);
const WIDE = ["title", "place", "photographer", "geographic_area"];
const text = (name, title, of) => el("label", { className: WIDE.includes(name) && "wide" }, `${title} `,
  unit(el("input", NUMBERS.includes(name) ? { name, inputMode: "decimal" } : { name, maxLength: 200, dir: "auto" }), of));
const long = (name, title) => el("label", { className: "all" }, `${title} `, el("textarea", { name, maxLength: 4000, rows: 2, dir: "auto" }));

/* A time as it was typed, in the viewer's own zone. */
function sampledAt(day, clock) {
  if (!day || !clock) return day || null;
  const minutes = -new Date(`${day}T${clock}`).getTimezoneOffset();
  const of = (count) => String(count).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${day}T${clock}${minutes < 0 ? "-" : "+"}${of(Math.floor(size / 60))}:${of(size % 60)}`;
}

export class Share {
  constructor(run, shelf, player) {
    Object.assign(this, { run, shelf, player });
    this.turn = Promise.resolve();
    this.body = el("div", {}, el("p", { className: "quiet small", text: "Looking …" }));
    this.element = el("details", { className: "share", ontoggle: () => { if (this.element.open && !this.form) this.open(); } },
      el("summary", { text: "Share" }), this.body);
  }

  get at() { return path("runs", this.run.run); }

  async open() {
    try {
      this.take(await get(`${this.at}/record`));
    } catch (error) {
      this.body.replaceChildren(el("p", { className: "refused", role: "alert", text: error.message }));
      return;
    }
    this.form = this.build();
    this.fill();
    this.body.replaceChildren(this.form);
    if (this.known.problem) this.tell([{ reason: this.known.problem, blocks: true }]);
  }

  take(known) {
    this.known = known;
    this.saved = JSON.stringify(known.record);
  }

  build() {
    const { destinations, positions, imaged, names } = this.known;
    this.picker = new Picker(() => this.changed(), names);
    this.stills = new Stills(this.player, () => this.changed());
    this.movie = choice("movie", []);
    this.findings = el("ul", { "aria-label": "Missing or doubtful", "aria-live": "polite" });
    this.told = el("p", { className: "quiet small", role: "status" });
    this.order = el("button", { type: "submit", className: "main", disabled: true }, icon("save"), el("span", { text: "Make the bundle" }));
    const span = imaged.begin ? `Imaged ${moment(imaged.begin)} to ${moment(imaged.end)}. ` : "";
    return el("form", { noValidate: true, autocomplete: "off", oninput: () => this.changed(), onsubmit: (event) => { event.preventDefault(); this.make(); } },
      el("p", { className: "small quiet", text: `${span}What you write is kept with the run and goes along; nothing is sent.` }),
      el("div", { className: "grid" },
        el("label", { className: "all" }, "Where it belongs ", choice("destination", [["", "choose …"], ...destinations.map(({ name, title }) => [name, title])])),
        positions.length > 1 ? el("label", {}, "Position ", choice("position", [["", "all"], ...positions.map((name) => [name, name])])) : null,
        el("label", { data: { of: "artportalen" } }, "Coordinates there ", choice("coordinates", [["sweref99tm", "SWEREF 99 TM"], ["wgs84", "WGS 84"]])),
        el("label", {}, "Movie ", this.movie),
        el("label", { data: { of: "gbif" }, className: "all" }, "Address of the media, if known ", el("input", { name: "base_url", maxLength: 500 })),
        text("title", "Title"), this.picker.element,
        el("label", { className: "wide" }, "It lived ", choice("origin", ORIGINS)),
        el("label", { className: "wide" }, "Sample taken on ", el("input", { type: "date", name: "day" })),
        el("label", {}, "Time, if known ", el("input", { type: "time", name: "clock" })),
        text("place", "Place"), el("div", { className: "pair wide" }, text("latitude", "Latitude", "°"), text("longitude", "Longitude", "°")),
        text("photographer", "Photographer"),
        el("label", {}, "Licence ", choice("licence", LICENCES)),
        el("label", { className: "wide" }, "Who may see the place ", choice("geoprivacy", PRIVACY))),
      el("div", { className: "row wrap" },
        el("label", { className: "tick" }, el("input", { type: "checkbox", name: "uncertain" }), " I am not sure of the name"),
        el("label", { className: "tick", data: { of: "nordic-microalgae inaturalist" } }, el("input", { type: "checkbox", name: "place_in_images" }), " Place in the images too")),
      this.stills.element,
      el("details", {}, el("summary", { text: "More about it" }),
        grid(long("caption", "Caption")),
        MORE.map(([title, fields]) => el("fieldset", {}, el("legend", { text: title }), grid(fields.map((field) => text(...field))))),
        grid(long("notes", "Notes for yourself, never shared"))),
      this.findings, this.told, el("div", { className: "buttons" }, this.order));
  }

  fill() {
    const { record, scale } = this.known;
    const fields = this.form.elements;
    for (const name of TEXTS) fields[name].value = record[name];
    for (const name of NUMBERS) fields[name].value = record[name] === null ? "" : String(record[name]);
    for (const name of CHOICES) {
      const value = record[name] || "";
      if (![...fields[name].options].some((option) => option.value === value)) fields[name].append(el("option", { value, text: value }));
      fields[name].value = value;
    }
    if (scale.um_per_pixel) fields.um_per_pixel.placeholder = String(+scale.um_per_pixel.toPrecision(4));
    [fields.day.value, fields.clock.value] = [(record.sampled_at || "").slice(0, 10), (record.sampled_at || "").slice(11, 16)];
    this.picker.set(record.taxon);
    fields.uncertain.checked = Boolean(record.taxon && record.taxon.uncertain);
    this.fit();
  }

  record() {
    const fields = this.form.elements;
    const record = { ...this.known.record };
    for (const name of TEXTS) record[name] = fields[name].value.trim();
    for (const name of NUMBERS) {
      const value = fields[name].value.trim();
      const number = typed(value);
      record[name] = value === "" ? null : Number.isFinite(number) ? number : value;
    }
    for (const name of CHOICES) record[name] = fields[name].value || null;
    const before = this.known.record.sampled_at || "";
    const same = before.slice(0, 10) === fields.day.value && before.slice(11, 16) === fields.clock.value;
    record.sampled_at = same ? before || null : sampledAt(fields.day.value, fields.clock.value);
    record.taxon = this.picker.taxon(fields.uncertain.checked);
    return record;
  }

  /* Which fields of the order belong to the destination. */
  fit() {
    const to = this.form.elements.destination.value;
    for (const one of this.form.querySelectorAll("[data-of]")) show(one, one.dataset.of.split(" ").includes(to));
    show(this.movie.parentElement, this.movie.options.length > 1);
  }

  asked() {
    const fields = this.form.elements;
    const order = { destination: fields.destination.value };
    const of = (name) => fields[name] && fields[name].offsetParent;
    for (const name of ["position", "movie", "coordinates", "base_url"]) if (of(name) && fields[name].value) order[name] = fields[name].value.trim();
    if (of("place_in_images") && fields.place_in_images.checked) order.place_in_images = true;
    return order;
  }

  /* ------------------------------------------------------------- kept as one types */

  changed() {
    this.fit();
    this.order.disabled = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.update(), SAVE_MS);
  }

  close() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.update();
  }

  /* One after the other, so that the last word is the one that is kept. */
  update() {
    this.timer = null;
    this.turn = this.turn.then(() => this.keep()).catch((error) => this.refuse(error));
    return this.turn;
  }

  async keep() {
    const record = this.record();
    if (JSON.stringify(record) !== this.saved) {
      this.take(await ask(`${this.at}/record`, "PUT", record));
      say(this.told, "Kept with the run.");
    }
    const order = this.asked();
    await this.offer(order);
    if (!order.destination) { this.tell([]); return; }
    const frames = this.stills.chosen();
    if (!frames) throw new Error("No picture is chosen; tick at least one.");
    this.chosen = frames.length ? { ...order, frames } : order;
    const found = await post(`${this.at}/share/check`, this.chosen);
    this.tell(found.findings);
    this.order.disabled = !found.ready || Boolean(this.timer);
    say(this.told, found.ready ? `Ready; takes up to ${bytes(found.bytes_needed)}.` : "Not ready yet; see above.");
  }

  /* What can be chosen there: asked again where that may be something else. */
  async offer({ destination, position }) {
    const to = JSON.stringify([destination, position]);
    const key = to + (this.shelf.files || []).filter(({ name }) => name.startsWith("movies/")).length;
    if (key === this.key) return;
    const found = destination ? await post(`${this.at}/share/choices`, { destination, position }) : { stills: [], movies: [] };
    this.stills.set(found, to !== this.to);
    [this.to, this.key] = [to, key];
    const { value } = this.movie;
    this.movie.replaceChildren(...["", ...found.movies].map((name) => el("option", { value: name, text: name.slice(7) || "what fits", selected: name === value })));
    this.fit();
  }

  refuse(error) {
    const fields = error.fields || [];
    this.tell(fields.length ? fields.map(({ field, reason }) => ({ field, reason: field.startsWith("(") ? reason : `${field} ${reason}`, blocks: true })) : [{ reason: error.message, blocks: true }]);
    say(this.told, "Not kept; see above.");
  }

  tell(findings) {
    const wrong = findings.filter((each) => each.blocks).map(({ field = "" }) => ({ sampled_at: "day", "taxon.name": "taxon" }[field] || field));
    for (const field of this.form.elements) {
      if (wrong.includes(field.name)) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
    const key = JSON.stringify(findings);
    if (this.findings.dataset.key === key) return;
    this.findings.dataset.key = key;
    this.findings.replaceChildren(...findings.map(({ reason, blocks }) => el("li", { className: blocks ? "note stands" : "note warn", text: reason, dir: "auto" })));
  }

  async make() {
    clearTimeout(this.timer);
    await this.update();
    if (this.order.disabled) return;
    try {
      const { job } = await post(`${this.at}/share`, this.chosen);
      this.shelf.seen.add(job.job);
      say(this.told, "");
      say(this.shelf.told, "");
      await this.shelf.update();
      this.shelf.element.scrollIntoView({ block: "nearest" });
    } catch (error) {
      this.refuse(error);
    }
  }
}
