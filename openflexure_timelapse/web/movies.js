/* A run's movies: those that are there, those being made, and how to make another one. */

import { ask, fileAddress, get, path, post } from "./api.js";
import { button, confirm, el, icon, say, show } from "./dom.js";
import { bytes, duration, many, typed } from "./numbers.js";
import { jobText } from "./words.js";

const POLL_MS = 700;
const isSequence = ({ format }) => format === "png" || format === "jpeg";
const isStill = ({ view }) => ["average", "minimum", "maximum", "kymograph"].includes(view);
const isMovie = (recipe) => !isStill(recipe);
const isOfOne = ({ view }) => view !== "grid";
const numbers = (text) => (text.trim() ? (text.match(/-?\d+/g) || []).map(Number) : null);
const hasTime = (recipe) => !isStill(recipe) || recipe.view === "kymograph";
const isOpen = (job) => job.state === "queued" || job.state === "running";

export class Shelf {
  constructor(run) {
    this.run = run;
    this.key = "";
    this.seen = new Set();
    this.jobs = el("ul", { className: "plain", "aria-label": "Work under way" });
    this.movies = el("ul", { className: "plain movies", "aria-label": "Movies" });
    this.told = el("p", { className: "small", role: "status" });
    this.element = el("div", { className: "shelf" }, this.jobs, this.told, this.movies);
  }

  /* Asks once, and goes on asking by itself while something is being made. */
  async update() {
    clearTimeout(this.timer);
    let open = this.open || [];
    try {
      const { jobs } = await get("jobs");
      const own = jobs.filter((job) => job.run === this.run);
      open = own.filter(isOpen);
      this.showJobs(open);
      this.tellEnds(own);
      const { files } = await get(`${path("runs", this.run, "files")}`);
      this.showFiles(files);
    } catch { /* the next time tells */ }
    this.open = open;
    if (open.length && !this.isClosed) this.timer = setTimeout(() => this.update(), document.hidden ? POLL_MS * 10 : POLL_MS);
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  showJobs(open) {
    const key = open.map((job) => job.job).join();
    if (this.jobs.dataset.key !== key) {
      this.jobs.dataset.key = key;
      this.jobs.replaceChildren(...open.map((job) => el("li", { data: { job: job.job } }, el("p", { className: "small" }),
        el("div", { className: "row" }, el("progress", { max: 1, "aria-label": jobText(job) }),
          button("Cancel", () => this.cancel(job.job))))));
    }
    open.forEach((job, index) => {
      const item = this.jobs.children[index];
      const place = job.position && job.position !== "here" ? `, ${job.position}` : "";
      say(item.querySelector("p"), `${jobText(job)}${place}, ${Math.round(job.fraction * 100)} %`);
      item.querySelector("progress").value = job.fraction;
    });
  }

  /* Tells how what was seen under way has ended. */
  tellEnds(jobs) {
    for (const job of jobs) {
      if (isOpen(job)) this.seen.add(job.job);
      else if (this.seen.delete(job.job)) say(this.told, endText(job));
      else if (job.state === "failed" && !this.told.textContent) say(this.told, endText(job));
    }
  }

  async cancel(job) {
    try {
      await ask(path("jobs", job), "DELETE");
    } catch (error) {
      say(this.told, error.message);
    }
    this.update();
  }

  showFiles(files) {
    const movies = files.filter(({ name }) => /^(movies|share)\//.test(name));
    const key = JSON.stringify(movies);
    this.files = files;
    if (this.onfiles) this.onfiles(files);
    if (key === this.key) return;
    this.key = key;
    this.movies.replaceChildren(...movies.map((movie) => this.movie(movie)));
  }

  movie({ name, bytes: size }) {
    const src = fileAddress(this.run, name);
    const isPicture = /\.(gif|webp|apng|png)$/.test(name);
    const short = name.split("/").pop().replace(`${this.run}_`, "");
    const picture = name.endsWith(".zip") ? null
      : isPicture ? el("img", { src, alt: `The time-lapse as a ${name.endsWith(".png") ? "" : "moving "}picture, ${short}`, loading: "lazy" })
      : el("video", { src, controls: true, preload: "metadata", playsInline: true, loop: true, "aria-label": `The time-lapse as a movie, ${short}` });
    const link = el("a", { href: src, download: `${this.run}_${short}`, className: "button" }, icon("save"),
      el("span", { text: `Download ${short}, ${bytes(size)}` }));
    return el("li", {}, picture && el("div", { className: "frame" }, picture), name.startsWith("share/")
      ? el("div", { className: "row" }, link, button("", () => this.drop(name, short, src), { glyph: "bin", kind: "glyph stop", label: `Delete ${short}` })) : link);
  }

  async drop(name, short, src) {
    if (!await sure(`Delete ${short}?`, "The frames stay; it can be made again.")) return;
    await ask(`${src}?confirm=${encodeURIComponent(name)}`, "DELETE").catch((error) => say(this.told, error.message));
    this.update();
  }
}

function endText(job) {
  if (job.kind === "verify") return job.state === "done" ? reportText(job.report) : `${jobText(job)}. ${job.message}`;
  if (job.kind === "share") {
    return { done: "The bundle is ready below. Its README says how to go on.", cancelled: "The bundle was cancelled; nothing of it is left." }[job.state]
      || `The bundle could not be made. ${job.message}`;
  }
  const place = job.position && job.position !== "here" ? ` of ${job.position}` : "";
  const thing = `The ${isStill(job.recipe || {}) ? "picture" : "movie"}${place}`;
  if (job.state === "done") return `${thing} is ready below.`;
  if (job.state === "cancelled") return `${thing} was cancelled. The frames are untouched.`;
  return `${thing} could not be made. The frames are untouched. ${job.message}`;
}

function reportText(report) {
  if (report.ok) return "Every file was checked: nothing is missing or damaged.";
  return `The files were checked, and something is wrong. The frames that are there can still be used. ${report.lines.slice(0, 8).join(" ")}`;
}

/* ------------------------------------------------------------------------ making one */

export class Maker {
  constructor(run, shelf, player) {
    this.run = run;
    this.shelf = shelf;
    this.player = player;
    this.fields = [];
    this.element = this.build();
    this.input();
  }

  build() {
    this.told = el("p", { className: "quiet small", role: "status" });
    this.refused = el("p", { className: "refused", role: "alert", hidden: true });
    this.previewButton = button("Preview", () => this.preview(), { glyph: "play" });
    const several = this.run.positions.length > 1;
    const grid = (...fields) => el("div", { className: "grid" }, ...fields);
    this.form = el("form", { noValidate: true, autocomplete: "off",
      oninput: () => this.input(), onsubmit: (event) => { event.preventDefault(); this.make(); } },
    grid(
      this.choice("view", "Show", [["position", "a movie"], several && ["grid", "all positions side by side"], ["average", "the average picture"],
        ["minimum", "the darkest of each pixel"], ["maximum", "the brightest of each pixel"], ["kymograph", "one line over time"]]),
      this.choice("format", "Format", [["mp4", "MP4"], ["webm", "WebM"], ["gif", "GIF"], ["webp", "WebP"], ["apng", "APNG"],
        ["png", "PNG files in a zip"], ["jpeg", "JPEG files in a zip"]], isMovie),
      this.choice("shape", "Shape", [["", "as recorded"], "square", ["portrait", "portrait, 9:16"]], isMovie),
      this.text("fps", "Speed", { unit: "frames/s", value: "15" }, isMovie),
      this.text("width", "Width", { unit: "pixels", placeholder: "usual" }),
      this.choice("pace", "Time", [["frames", "each time point one frame"], ["real", "one constant speed"]], hasTime),
      this.choice("gaps", "Where frames are missing", ["hold", "blank", "cut"], hasTime),
      this.text("max_mb", "Largest size", { unit: "MB", placeholder: "any" }, (recipe) => isMovie(recipe) && !isSequence(recipe)),
      several ? this.choice("position", "Position", [["", "each"], ...this.run.positions], isOfOne) : null,
      this.text("title", "Title in the picture", { wide: true, maxLength: 120, dir: "auto" }, undefined, (text) => text.trim())),
    el("div", { className: "row wrap" }, this.tick("timestamp", "time"), this.tick("elapsed_time", "elapsed time"), this.tick("scale_bar", "scale bar"),
      several ? this.tick("position_name", "position") : null, this.tick("stabilise", "held still", false, isOfOne), this.tick("deflicker", "even brightness", false, isOfOne)),
    el("details", {}, el("summary", { text: "More" }), grid(
      this.choice("codec", "Codec", [["", "usual"], ["hevc", "HEVC"], ["av1", "AV1"]], ({ view, format }) => isMovie({ view }) && (format === "mp4" || format === "webm")),
      this.run.planes > 1 ? this.choice("planes", "Planes", [["one", "the middle one"], ["sharpest", "the sharpest"], ["edf", "all, sharp everywhere"]]) : null,
      this.text("speed_up", "Faster than life", { unit: "times", placeholder: "usual" }, ({ pace }) => pace === "real"),
      this.text("crop", "Part of the picture", { wide: true, placeholder: "x, y, width, height" }, ({ view }) => view !== "kymograph", numbers),
      this.text("line", "Line, from and to", { wide: true, placeholder: "x, y, x, y" }, ({ view }) => view === "kymograph", numbers))),
    this.told, this.refused,
    el("div", { className: "buttons" }, this.previewButton,
      el("button", { type: "submit", className: "main" }, icon("film"), el("span", { text: "Make it" }))));
    const fold = el("details", { ontoggle: () => { if (!fold.open) this.endPreview(); } },
      el("summary", { text: "Make a movie or GIF" }), this.form);
    return fold;
  }

  /* A field is shown, and in the recipe, where it fits what was chosen in those before it. */
  field(name, label, fits = () => true, read = (text) => text) {
    this.fields.push({ name, label, fits, read });
    return label;
  }

  choice(name, text, rows, fits) {
    const input = el("select", { name }, rows.filter(Boolean).map((row) => {
      const [value, told = value] = [row].flat();
      return el("option", { value, text: told });
    }));
    return this.field(name, el("label", { className: "wide" }, `${text} `, input), fits);
  }

  text(name, text, { unit, wide, ...properties }, fits, read = typed) {
    const input = el("input", { name, inputMode: unit && "decimal", ...properties });
    return this.field(name, el("label", { className: wide && "wide" }, `${text} `,
      unit ? el("span", { className: "row" }, input, el("span", { className: "unit", text: unit })) : input), fits, read);
  }

  tick(name, text, checked = true, fits = undefined) {
    return this.field(name, el("label", { className: "tick" }, el("input", { type: "checkbox", name, checked }), ` ${text}`), fits);
  }

  recipe() {
    const recipe = {};
    for (const { name, fits, read } of this.fields) {
      if (!fits(recipe)) continue;
      const { type, checked, value } = this.form.elements[name];
      const found = type === "checkbox" ? checked : read(value);
      if (found !== "" && found !== null) recipe[name] = found;
    }
    if (recipe.crop && recipe.crop.length === 4) {
      const [x, y, width, height] = recipe.crop;
      recipe.crop = { x, y, width, height };
    }
    return recipe;
  }

  wrong({ view, format, fps, width, max_mb, speed_up, crop, line }) {
    const most = ["gif", "webp", "apng"].includes(format) ? 50 : 120;
    if (isMovie({ view }) && !(fps >= 0.1 && fps <= most)) return `Speed: 0.1 to ${most} frames per second.`;
    if (width !== undefined && !(Number.isInteger(width) && width >= 16 && width <= 8192)) return "Width: 16 to 8192 pixels.";
    if (width % 2 && ["mp4", "webm"].includes(format)) return "Width: an even number; MP4 and WebM have no odd ones.";
    if ([max_mb, speed_up].includes(NaN)) return "Largest size, and how much faster than life: numbers.";
    if (Array.isArray(crop)) return "Part of the picture: four whole numbers.";
    if (line && line.length !== 4) return "Line: four whole numbers.";
    return "";
  }

  input() {
    const recipe = this.recipe();
    const wrong = this.wrong(recipe);
    const still = isStill(recipe);
    for (const { label, fits } of this.fields) show(label, fits(recipe));
    show(this.previewButton, !still && recipe.view !== "grid" && recipe.pace !== "real");
    show(this.refused, false);
    const slots = recipe.gaps === "cut" ? this.run.frames / (this.run.positions.length * this.run.planes) : this.run.slots;
    const plays = still ? "One picture of the whole run." : recipe.pace === "real" ? "The commonest interval is one frame of the movie."
      : `Plays for ${duration(slots / recipe.fps)}.`;
    say(this.told, wrong || `${plays} The frames stay as they are.`);
    if (this.player.recipe && this.previewButton.hidden) this.endPreview();
    if (this.player.recipe && !wrong) this.player.preview(recipe);
    return wrong;
  }

  preview() {
    if (this.player.recipe) { this.endPreview(); return; }
    if (this.input()) return;
    this.player.preview(this.recipe());
    say(this.previewButton.querySelector("span"), "End preview");
    this.player.play();
    this.player.element.scrollIntoView({ block: "nearest" });
  }

  endPreview() {
    say(this.previewButton.querySelector("span"), "Preview");
    this.player.stop();
    this.player.preview(null);
  }

  async make() {
    const wrong = this.input();
    try {
      if (wrong) throw new Error(wrong);
      const { jobs } = await post(`${path("runs", this.run.run)}/movies`, this.recipe());
      this.endPreview();
      jobs.forEach((job) => this.shelf.seen.add(job.job));
      say(this.shelf.told, "");
      await this.shelf.update();
      this.shelf.element.scrollIntoView({ block: "nearest" });
    } catch (error) {
      say(this.refused, error.message);
      show(this.refused);
    }
  }
}

const sure = (title, text) => confirm({ title, text, yes: "Delete it", no: "Keep it" });

export async function confirmedDelete({ run, name, frames, bytes: size }) {
  const yes = await sure(`Delete “${name.slice(0, 120)}”?`,
    `${frames === null ? "Its frames" : many(frames, "frame")} and its movies (${bytes(size)}) are deleted from the microscope. This cannot be undone.`);
  if (yes) await ask(`${path("runs", run)}?confirm=${encodeURIComponent(run)}`, "DELETE");
  return yes;
}
