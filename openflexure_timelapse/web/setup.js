/* The form: simple first, the rest folded; the estimate is always in view. */

import { get, post } from "./api.js";
import { at, el, facts, say, show } from "./dom.js";
import { bytes, duration, many, moment, shown, typed, whole } from "./numbers.js";
import { fieldOf, formOf, planOf, PRESETS, solve, solved, unitOf, UNITS } from "./plan.js";
import { Positions } from "./positions.js";

const ESTIMATE_AFTER_MS = 250;
const AGAIN_MS = 30000; // the end moves on while one thinks
const TIMED = ["interval", "frames", "duration", "playback"];
const PLAIN = ["name", "planes", "planeStep", "focusRange", "light", "exposure", "late", "settle", "keepFree", "mode", "movie", "startAt"];
const SOLVED = { interval: "The interval follows from number and length.",
  frames: "The number of time points follows from interval and length.",
  duration: "The length follows from interval and number." };

export class Setup {
  /* `started(run)` is called when a run has begun. */
  constructor(started) {
    this.started = started;
    this.form = at("form");
    this.fields = this.form.elements;
    this.base = {};
    this.asked = 0;
    this.positions = new Positions(() => this.changed());
    for (const preset of PRESETS) at("presets").append(this.preset(preset));
    this.form.addEventListener("input", (event) => this.input(event.target));
    this.form.addEventListener("change", (event) => this.change(event.target));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.start(); });
    this.fill(PRESETS[3].plan);
    setInterval(() => { if (!document.hidden && this.form.offsetParent) this.estimate(); }, AGAIN_MS);
  }

  preset({ title, told, plan }) {
    return el("button", { type: "button", onclick: () => { this.choose(plan); } },
      el("span", { text: title }), el("span", { className: "quiet small", text: told }));
  }

  /* A preset sets how often and how long; the sample's places and the light stay. */
  choose(plan) {
    this.touched = true;
    const { positions, light, mode, planes, planeStep } = this.read();
    const focuses = this.hasFocuser === false ? {} : { autofocus: plan.autofocus };
    this.fill({ ...this.base, phases: undefined, autofocus: undefined, ...plan, ...focuses });
    this.positions.set(positions);
    for (const [name, value] of Object.entries({ light, mode, planes, planeStep })) this.fields[name].value = value;
    this.changed();
  }

  /* What the microscope has, and what was started last. */
  async begin() {
    if (this.isKnown || this.isAsking) return;
    this.isAsking = true;
    try {
      const { camera, light, focuser } = await get("microscope");
      this.isKnown = true;
      for (const [name, [width, height]] of Object.entries(camera.modes)) {
        this.fields.mode.append(el("option", { value: name, text: `${name}, ${width} × ${height} pixels` }));
      }
      this.hasFocuser = focuser;
      show(at("light-row"), Boolean(light));
      show(at("drift-row"), Boolean(camera.image_shift_per_step));
    } catch { /* without it every choice is shown; the server says what cannot be */ }
    try {
      const { plan } = await get("preferences");
      if (plan && !this.touched) this.fill(plan);
    } catch { /* the form shows its own values */ }
    this.isAsking = false;
    this.changed();
  }

  /* ------------------------------------------------------------------------ filling */

  fill(plan) {
    this.base = plan;
    const form = formOf(plan);
    this.timing = form.timing;
    for (const name of PLAIN) this.fields[name].value = form[name];
    if (this.fields.mode.value !== form.mode) this.fields.mode.value = "";
    const usual = form.focus === "0" || form.focus === "1";
    this.fields.focus.value = usual ? form.focus : "other";
    if (!usual) this.fields.focusEvery.value = form.focus;
    this.fields.drift.checked = form.drift;
    this.fields.endless.checked = form.endless;
    this.fields.fps.value = shown(form.timing.fps);
    this.fields.start.value = "now";
    for (const name of ["interval", "duration"]) this.fields[`${name}Unit`].value = unitOf(this.timing[`${name}_s`]);
    this.showTiming();
    this.positions.set(form.positions);
    this.enable();
  }

  showTiming(except = "") {
    const values = { interval: this.timing.interval_s / UNITS[this.fields.intervalUnit.value],
      frames: this.timing.frames, duration: this.timing.duration_s / UNITS[this.fields.durationUnit.value],
      playback: this.timing.playback_s };
    for (const name of TIMED) if (name !== except) this.fields[name].value = shown(values[name], name === "frames" ? 9 : 4);
    const follows = this.fields.endless.checked ? "" : solved(this.timing);
    for (const name of TIMED.slice(0, 3)) this.fields[name].classList.toggle("follows", name === follows);
    say(at("solved"), this.fields.endless.checked ? "Frames are taken until you press Stop." : SOLVED[follows]);
  }

  enable() {
    const endless = this.fields.endless.checked;
    for (const name of ["frames", "duration", "durationUnit", "playback"]) this.fields[name].disabled = endless;
    this.fields.startAt.disabled = this.fields.start.value !== "at";
    show(this.fields.startAt, !this.fields.startAt.disabled);
    this.fields.focusEvery.disabled = this.fields.focus.value !== "other";
    this.fields.focusRange.disabled = this.fields.focus.value === "0";
    this.fields.planeStep.disabled = !(typed(this.fields.planes.value) > 1);
    this.fields.fps.disabled = !this.fields.movie.value;
    say(at("focus-told"), [this.fields.focus.value === "0" ? "no autofocus" : "autofocus",
      typed(this.fields.planes.value) > 1 ? `${this.fields.planes.value} planes` : ""].filter(Boolean).join(", "));
    say(at("light-told"), this.fields.light.value === "leave" ? "light stays on" : "light only while capturing");
    say(at("movie-told"), this.fields.movie.value ? this.fields.movie.value.toUpperCase() : "no movie");
  }

  /* ------------------------------------------------------------------------- typing */

  input(target) {
    this.touched = true;
    const { name } = target;
    if (TIMED.includes(name) || name === "fps") {
      const unit = this.fields[`${name}Unit`];
      const value = typed(target.value) * (unit ? UNITS[unit.value] : 1);
      this.timing = solve(this.timing, name, value);
      this.showTiming(name);
    }
    if (name === "startAt") this.fields.start.value = "at";
    this.enable();
    this.changed();
  }

  change(target) {
    const { name } = target;
    if (name === "intervalUnit" || name === "durationUnit") {
      const field = name.slice(0, -4);
      this.timing = solve(this.timing, field, typed(this.fields[field].value) * UNITS[target.value]);
      this.showTiming(field);
    }
    if (name === "start" && target.value === "at" && !this.fields.startAt.value) {
      const soon = new Date(Date.now() + 3600e3);
      soon.setMinutes(0, 0, 0);
      this.fields.startAt.value = new Date(soon - soon.getTimezoneOffset() * 60e3).toISOString().slice(0, 16);
    }
    if (name === "endless") this.showTiming();
    this.enable();
    this.changed();
  }

  read() {
    const form = { timing: this.timing, positions: this.positions.places };
    for (const name of PLAIN) form[name] = this.fields[name].value;
    form.start = this.fields.start.value;
    form.endless = this.fields.endless.checked;
    form.drift = this.fields.drift.checked;
    const focus = this.fields.focus.value;
    form.focus = focus === "other" ? this.fields.focusEvery.value : focus;
    return form;
  }

  /* What is typed and is no number; the timing keeps the last good one. */
  mistyped() {
    const wrong = {};
    for (const name of [...TIMED, "fps"]) {
      const field = this.fields[name];
      const value = typed(field.value);
      if (!field.disabled && !(value > 0)) wrong[name] = "A number above 0.";
      else if (!field.disabled && name === "frames" && !Number.isInteger(value)) wrong[name] = "A whole number.";
    }
    return wrong;
  }

  plan() {
    const { plan, wrong } = planOf(this.read(), this.base);
    return { plan, wrong: { ...wrong, ...this.mistyped() } };
  }

  /* ----------------------------------------------------------------------- estimate */

  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.estimate(), ESTIMATE_AFTER_MS);
    show(at("refused"), false);
  }

  mark(wrong) {
    for (const field of this.fields) {
      const told = wrong[field.name === "focusEvery" ? "focus" : field.name];
      const is = Boolean(told) && !field.disabled && field.type !== "radio";
      if (is) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      field.title = is ? told : "";
    }
  }

  async estimate() {
    const { plan, wrong } = this.plan();
    this.mark(wrong);
    const told = Object.entries(wrong);
    if (told.length) {
      this.showEstimate([], told.map(([field, text]) => `${this.label(field)}: ${text}`));
      return;
    }
    const turn = this.asked += 1;
    try {
      const found = await post("estimate", plan);
      if (turn === this.asked) this.showFound(plan, found);
    } catch (error) {
      if (turn === this.asked) this.showEstimate([], [error.message]);
    }
  }

  showFound(plan, found) {
    const warnings = [...found.warnings];
    const pictures = found.frames !== null;
    const rows = [
      ["Ends", found.ends_at ? moment(found.ends_at) : "when you stop it"],
      ["Frames", pictures ? whole(found.frames) : `${whole(found.slots_that_fit)} time points fit`],
      ["Space", pictures ? `${bytes(found.stored_bytes)} of ${bytes(found.free_bytes)} free` : `${bytes(found.free_bytes)} free`],
      ["A time point takes", found.focus_slot_s < plan.interval_s / 2 ? "" : duration(found.focus_slot_s)],
    ];
    if (this.base.phases && this.base.phases.length > 1) {
      warnings.push(`The plan before had ${many(this.base.phases.length, "phase")}; this form has one.`);
    }
    this.showEstimate(rows, warnings);
  }

  showEstimate(rows, warnings) {
    facts(at("estimate-facts"), rows);
    at("estimate-warnings").replaceChildren(...warnings.map((text) => el("li", { text, className: "note warn" })));
  }

  label(field) {
    if (field.startsWith("position-")) return `Position ${Number(field.slice(9)) + 1}`;
    const input = this.fields[field === "focus" ? "focusEvery" : field];
    const label = input && input.labels && input.labels[0];
    return label ? label.firstChild.textContent.trim() || label.textContent.trim() : "Start";
  }

  /* -------------------------------------------------------------------------- start */

  async start() {
    const { plan, wrong } = this.plan();
    this.mark(wrong);
    const first = Object.keys(wrong)[0];
    if (first) {
      this.refuse(`${this.label(first)}: ${wrong[first]}`, first);
      return;
    }
    at("begin").disabled = true;
    try {
      const { run, warnings } = await post("start", plan);
      this.touched = false;
      await this.started(run, warnings);
    } catch (error) {
      const field = error.fields && error.fields[0] && fieldOf(error.fields[0].field);
      this.refuse(error.message, field);
    } finally {
      at("begin").disabled = this.isBusy;
    }
  }

  refuse(text, field) {
    say(at("refused"), text);
    show(at("refused"));
    const input = field && this.fields[field === "focus" ? "focusEvery" : field];
    if (!input || !input.focus) return;
    const fold = input.closest("details");
    if (fold) fold.open = true;
    input.focus();
  }

  /* While a run is under way a second one cannot begin. */
  busy(status, is) {
    const waiting = status.waiting_run;
    this.isBusy = is || Boolean(waiting);
    at("begin").disabled = this.isBusy;
    show(at("waiting"), Boolean(waiting));
    if (waiting) say(at("waiting-told"), `The run ${waiting} was interrupted and waits. Its frames are kept. Go on with it, or end it; then another one can start.`);
    show(at("busy"), is);
    if (is) say(at("busy"), `“${short(status.name)}” is under way. Wait for its end, or stop it under Now; then start this one.`);
  }

}

const short = (text) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
