/* Between what the form holds and the plan that is sent; pure. */

import { typed } from "./numbers.js";

export const UNITS = { s: 1, min: 60, h: 3600, d: 86400 };
const SHORTEST_S = 0.05;
const LONGEST_S = 31 * 86400;
const LONGEST_RUN_S = 3660 * 86400;
const MOST_FRAMES = 100000000;

export const PRESETS = [
  { title: "Pond life", told: "every 2 s for 10 minutes",
    plan: { name: "Pond life", interval_s: 2, frames: 300, autofocus: { every: 60 } } },
  { title: "Growing algae", told: "every 10 minutes for 7 days",
    plan: { name: "Growing algae", interval_s: 600, frames: 1008, autofocus: { every: 6 } } },
  { title: "Overnight", told: "every minute for 12 hours",
    plan: { name: "Overnight", interval_s: 60, frames: 720, autofocus: { every: 30 } } },
  { title: "Two minutes to try", told: "every 5 s for 2 minutes",
    plan: { name: "First try", interval_s: 5, frames: 24 } },
];

/* ---------------------------------------------------------------------------- timing

   Interval, number, duration and playback are two choices: the one made before and the
   one just made. The third follows. Number and playback are the same choice. */

const START = { interval_s: 30, frames: 120, duration_s: 3600, playback_s: 8, fps: 15,
  recent: ["frames", "interval"] };

const GROUP = { interval: "interval", frames: "frames", playback: "frames", duration: "duration" };

/* Returns the timing after `field` became `value` (seconds, or a number of frames);
   unchanged where the value is none. */
export function solve(timing, field, value) {
  if (!(value > 0) || !Number.isFinite(value)) return timing;
  if (field === "fps") return { ...timing, fps: value, playback_s: timing.frames / value };
  const group = GROUP[field];
  const kept = timing.recent.find((name) => name !== group);
  const recent = [group, kept];
  let { interval_s: interval, frames, duration_s: length } = timing;
  if (field === "interval") interval = value;
  if (field === "frames") frames = Math.max(1, Math.round(value));
  if (field === "playback") frames = Math.max(1, Math.round(value * timing.fps));
  if (field === "duration") length = value;
  if (!recent.includes("interval")) interval = tidy(length / frames);
  if (!recent.includes("frames")) frames = Math.max(1, Math.round(length / interval));
  if (!recent.includes("duration")) length = tidy(interval * frames);
  const playback = field === "playback" ? value : frames / timing.fps;
  return { ...timing, interval_s: interval, frames, duration_s: length, playback_s: playback, recent };
}

/* Which of the three follows from the other two. */
export const solved = (timing) =>
  ["interval", "frames", "duration"].find((name) => !timing.recent.includes(name));

const tidy = (seconds) => +seconds.toPrecision(7);

/* The largest unit that shows a time without more than two digits after the point. */
export function unitOf(seconds) {
  for (const unit of ["d", "h", "min"]) {
    const count = seconds / UNITS[unit];
    if (count >= (unit === "d" ? 2 : 1) && Math.abs(count * 4 - Math.round(count * 4)) < 1e-9) return unit;
  }
  return "s";
}

/* ------------------------------------------------------------------------------ plan */

/* Returns what the form shows for a plan. */
export function formOf(plan) {
  const phase = (plan.phases && plan.phases[0]) || plan;
  const interval = phase.interval_s || START.interval_s;
  const movie = plan.movie === null ? null : plan.movie || {};
  const fps = (movie && movie.fps) || START.fps;
  const endless = !phase.frames && !phase.duration_s;
  const frames = phase.frames || (phase.duration_s ? Math.ceil(phase.duration_s / interval - 1e-9) : START.frames);
  const timing = solve({ ...START, fps, interval_s: interval }, "frames", frames);
  const planes = plan.planes || {};
  const focus = plan.autofocus;
  return {
    name: plan.name || "",
    timing: { ...timing, recent: ["frames", "interval"] },
    endless,
    start: "now",
    startAt: "",
    positions: (plan.positions || []).map((place) => ({ ...place })),
    planes: String(planes.count || 1),
    planeStep: String(planes.step || 50),
    focus: focus ? String(focus.every || 10) : "0",
    focusRange: String((focus && focus.range) || 2000),
    light: plan.light || "leave",
    exposure: plan.exposure || "lock",
    late: plan.late || "skip",
    settle: String(plan.settle_s === undefined ? 0.3 : plan.settle_s),
    keepFree: String(plan.keep_free_mb === undefined ? 500 : plan.keep_free_mb),
    drift: Boolean(plan.drift_correction),
    mode: plan.camera_mode || "",
    movie: movie ? movie.format || "mp4" : "",
  };
}

/* Returns the plan of a form and what is wrong in it, by the form's field.
   `base` is the plan that the form was filled from: what no field shows is kept. */
export function planOf(form, base = {}) {
  const wrong = {};
  const { timing } = form;
  const plan = { name: form.name.trim() };
  if (!plan.name) wrong.name = "Give it a name; its folder is called after it.";
  else if (plan.name.length > 80) wrong.name = "At most 80 characters.";
  plan.interval_s = timing.interval_s;
  if (!(timing.interval_s >= SHORTEST_S)) wrong.interval = `At least ${SHORTEST_S} s.`;
  else if (timing.interval_s > LONGEST_S) wrong.interval = "At most 31 days.";
  if (!form.endless) {
    plan.frames = timing.frames;
    if (timing.frames > MOST_FRAMES) wrong.frames = "At most 100 million.";
    if (timing.interval_s * timing.frames > LONGEST_RUN_S) wrong.duration = "At most 10 years.";
  }
  if (form.start === "at") addStart(plan, form, wrong);
  addPositions(plan, form, wrong);
  addOptics(plan, form, base, wrong);
  for (const name of ["sample", "catch_up_slots"]) if (base[name] !== undefined) plan[name] = base[name];
  plan.movie = null;
  if (form.movie) {
    const same = base.movie && (base.movie.format || "mp4") === form.movie ? base.movie : {};
    plan.movie = { ...same, format: form.movie, fps: timing.fps };
    const names = form.positions.map((place) => place.name.trim());
    if (plan.movie.position && !names.includes(plan.movie.position)) delete plan.movie.position;
    if (plan.movie.plane >= plan.planes.count) delete plan.movie.plane;
    if (!(timing.fps >= 0.1 && timing.fps <= 120)) wrong.fps = "0.1 to 120 frames per second.";
    else if (["gif", "webp", "apng"].includes(form.movie) && timing.fps > 50) wrong.fps = "GIF, WebP and APNG play at most 50 frames per second.";
  }
  return { plan, wrong };
}

function addStart(plan, form, wrong) {
  const time = new Date(form.startAt);
  if (!form.startAt || Number.isNaN(time.getTime())) wrong.startAt = "Choose a date and a time.";
  else if (time.getTime() <= Date.now()) wrong.startAt = "This is past; choose a later time.";
  else plan.start_at = time.toISOString();
}

function addPositions(plan, form, wrong) {
  const seen = new Set();
  plan.positions = form.positions.map(({ name, x, y, z }) => ({ name: name.trim(), x, y, z }));
  plan.positions.forEach(({ name }, index) => {
    const key = name.toLowerCase();
    if (!name) wrong[`position-${index}`] = "Give this position a name.";
    else if (seen.has(key)) wrong[`position-${index}`] = "Another position has this name.";
    seen.add(key);
  });
}

function addOptics(plan, form, base, wrong) {
  const count = natural(form.planes, "planes", 1, 200, wrong);
  plan.planes = { count, step: count > 1 ? natural(form.planeStep, "planeStep", 1, 1e9, wrong) : 0 };
  plan.autofocus = null;
  if (form.focus !== "0") {
    const kept = base.autofocus || {};
    plan.autofocus = { ...kept, every: natural(form.focus, "focus", 1, 1e9, wrong),
      range: natural(form.focusRange, "focusRange", 20, 1e9, wrong) };
  }
  plan.drift_correction = form.drift ? base.drift_correction || {} : null;
  plan.light = form.light;
  plan.exposure = form.exposure;
  plan.late = form.late;
  plan.settle_s = typed(form.settle);
  if (!(plan.settle_s >= 0 && plan.settle_s <= 60)) wrong.settle = "0 to 60 s.";
  plan.keep_free_mb = natural(form.keepFree, "keepFree", 0, 1e9, wrong);
  if (form.mode) plan.camera_mode = form.mode;
}

function natural(text, field, least, most, wrong) {
  const number = typed(text);
  if (!Number.isInteger(number) || number < least || number > most) {
    wrong[field] = `A whole number, ${least} ${most < 1e9 ? `to ${most}` : "or more"}.`;
  }
  return number;
}

/* The server's names of fields, as the form has them. */
export function fieldOf(name) {
  const [first, index] = name.split(".");
  const known = { interval_s: "interval", duration_s: "duration", start_at: "startAt",
    autofocus: index === "range" ? "focusRange" : "focus", planes: index === "step" ? "planeStep" : "planes",
    camera_mode: "mode", settle_s: "settle", keep_free_mb: "keepFree", drift_correction: "drift", movie: "movie" };
  if (first === "positions" && index !== undefined) return `position-${index}`;
  return known[first] || first;
}
