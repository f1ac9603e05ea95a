"use strict";
/* The page of one microscope: starts a run, shows how it goes, stops it, plays its
   movies. Everything it knows comes from the verbs above its own folder. */

const API = "../";
const POLL_MS = 1000;
const ESTIMATE_AFTER_MS = 300;
const ACTIVE = ["waiting", "running", "paused", "finishing"];
const PHASES = {
  waiting: "Waiting for the start", running: "Recording", paused: "Paused",
  finishing: "Finishing", ended: "Ended", idle: "", unavailable: "",
};
const PAUSED = { user: "Paused", disk_full: "Paused: the disk is full" };
const ENDED = { completed: "Finished", stopped: "Stopped", failed: "Ended by a failure" };

const at = (id) => document.getElementById(id);
const form = at("start");
let shownFrame = null;
let shownMovies = "";
let lastStatus = null;
let failures = 0;
let estimateTimer = 0;

async function ask(path, method = "GET", body = undefined) {
  const options = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(API + path, options);
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.message || answer.statusText);
  return data;
}

/* ------------------------------------------------------------------------- numbers */

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(s / 3600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function soon(seconds) {
  return seconds === 0 ? "now" : duration(seconds);
}

function bytes(count) {
  if (count === null || count === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let rank = 0;
  while (count >= 1000 && rank < units.length - 1) { count /= 1000; rank += 1; }
  return `${count.toFixed(rank === 0 || count >= 100 ? 0 : 1)} ${units[rank]}`;
}

function moment(iso) {
  const time = new Date(iso);
  const options = { hour: "2-digit", minute: "2-digit" };
  if (time.toDateString() !== new Date().toDateString()) {
    Object.assign(options, { weekday: "short", day: "numeric", month: "short" });
  }
  return time.toLocaleString(undefined, options);
}

/* -------------------------------------------------------------------------- status */

function show(status) {
  lastStatus = status;
  const active = ACTIVE.includes(status.phase);
  const known = active || status.phase === "ended";
  showWarnings(status.warnings || []);
  at("run").hidden = !known;
  form.hidden = active || status.phase === "unavailable";
  if (known) showRun(status, active);
  if (known && !active) showMovies(status);
  else if (shownMovies) {
    at("movies").replaceChildren();
    shownMovies = "";
    shownFrame = null; // the newest frame is shown again
  }
}

function showWarnings(warnings) {
  const list = at("warnings");
  const told = warnings.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  });
  list.replaceChildren(...told);
  list.hidden = told.length === 0;
}

function showRun(status, active) {
  at("run-name").textContent = status.name;
  at("phase").textContent = phaseText(status);
  const captured = status.counts.captured + status.counts.late;
  const bar = at("bar");
  bar.hidden = !status.slots;
  bar.value = status.slots ? (active ? total(status.counts) : captured) / status.slots : 0;
  at("done").textContent = status.slots ? `${captured} of ${status.slots}` : `${captured}`;
  at("next").textContent =
    status.phase === "running" || status.phase === "waiting"
      ? soon(status.next_due_in_s) : "–";
  const off = ["late", "skipped", "failed"].filter((name) => status.counts[name]);
  at("counts").textContent = off.map((name) => `${status.counts[name]} ${name}`).join(", ");
  at("counts-row").hidden = off.length === 0;
  at("space").textContent = `${bytes(status.bytes_used)} (${bytes(status.bytes_free)} free)`;
  at("run-buttons").hidden = !active;
  at("pause").hidden = !["waiting", "running"].includes(status.phase);
  at("resume").hidden = status.phase !== "paused";
  at("stop").hidden = status.phase === "finishing";
  if (!active) at("confirm").hidden = true;
  showLatest(status);
}

function phaseText(status) {
  if (status.phase === "paused") return PAUSED[status.pause_reason] || "Paused";
  if (status.phase !== "ended") return PHASES[status.phase];
  const told = ENDED[status.end_reason] || "Ended";
  return status.detail ? `${told}: ${status.detail}` : told;
}

function total(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function showLatest(status) {
  const frame = status.last_frame;
  const key = frame ? `${status.run_id}/frames/${frame.n}` : null;
  if (key === shownFrame) return;
  shownFrame = key;
  at("latest-link").hidden = !frame;
  if (!frame) return;
  at("latest").src = `${API}runs/${key}?width=320`;
  at("latest-link").href = `${API}runs/${key}`;
}

async function showMovies(status) {
  let jobs, files;
  try {
    jobs = (await ask("jobs")).jobs.filter((job) => job.run === status.run_id);
    files = (await ask(`runs/${status.run_id}/files`)).files;
  } catch { return; } // the next poll asks again
  const movies = files.filter((file) => file.name.startsWith("movies/"));
  const open = jobs.filter((job) => job.state !== "done");
  const key = JSON.stringify([movies, open.map((job) => [job.job, job.state, job.message])]);
  const list = at("movies");
  for (const job of open) {
    const bar = list.querySelector(`progress[data-job="${job.job}"]`);
    if (bar) bar.value = job.fraction;
  }
  if (key === shownMovies) return;
  shownMovies = key;
  at("latest-link").hidden = movies.length > 0;
  list.replaceChildren(
    ...open.map(jobItem), ...movies.map((movie) => movieItem(status.run_id, movie)));
}

function jobItem(job) {
  const item = document.createElement("li");
  const text = document.createElement("p");
  item.append(text);
  if (["queued", "running"].includes(job.state)) {
    text.textContent = "The movie is being made";
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = job.fraction;
    bar.dataset.job = job.job;
    bar.setAttribute("aria-label", "Movie");
    item.append(bar);
  } else {
    text.textContent = `No movie (${job.state}): ${job.message}`;
  }
  return item;
}

function movieItem(run, movie) {
  const item = document.createElement("li");
  const address = `${API}runs/${run}/files/${movie.name.split("/").map(encodeURIComponent).join("/")}`;
  const isGif = movie.name.endsWith(".gif");
  const picture = document.createElement(isGif ? "img" : "video");
  picture.src = address;
  if (isGif) picture.alt = "The time-lapse";
  else { picture.controls = true; picture.preload = "metadata"; picture.playsInline = true; }
  const link = document.createElement("a");
  link.href = address;
  link.download = `${run}_${movie.name.split("/").pop()}`;
  link.textContent = `Save the ${isGif ? "GIF" : "movie"} (${bytes(movie.bytes)})`;
  item.append(picture, link);
  return item;
}

/* ------------------------------------------------------------------- the form's plan */

function number(text) {
  return text.trim() === "" ? null : Number(text.trim().replace(",", "."));
}

function planOfForm() {
  const value = (name) => form.elements[name].value;
  const plan = { name: value("name").trim(), interval_s: number(value("interval")) };
  const frames = number(value("frames"));
  if (frames) plan.frames = frames;
  if (value("focus") !== "0") plan.autofocus = { every: Number(value("focus")) };
  if (value("mode")) plan.camera_mode = value("mode");
  plan.movie = value("movie") ? { format: value("movie") } : null;
  return plan;
}

function fill(plan) {
  const set = (name, value) => { form.elements[name].value = value ?? ""; };
  set("name", plan.name);
  set("interval", plan.interval_s);
  set("frames", plan.frames);
  const every = plan.autofocus ? plan.autofocus.every ?? 10 : 0;
  set("focus", every === 0 ? "0" : every === 1 ? "1" : "10");
  set("movie", plan.movie === null ? "" : (plan.movie || {}).format || "mp4");
  if (plan.camera_mode) set("mode", plan.camera_mode);
}

async function estimate() {
  const line = at("estimate");
  at("refused").hidden = true;
  try {
    const found = await ask("estimate", "POST", planOfForm());
    const parts = [];
    if (found.frames !== null && found.frames !== undefined) {
      parts.push(`${found.frames} frames`);
      parts.push(bytes(found.stored_bytes));
    } else parts.push("Until stopped");
    if (found.ends_at) parts.push(`ends ${moment(found.ends_at)}`);
    line.textContent = [parts.join(", "), ...(found.warnings || [])].join(". ");
  } catch (error) {
    line.textContent = error.message;
  }
}

form.addEventListener("input", () => {
  clearTimeout(estimateTimer);
  estimateTimer = setTimeout(estimate, ESTIMATE_AFTER_MS);
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await ask("start", "POST", planOfForm());
    at("refused").hidden = true;
    await look();
  } catch (error) {
    at("refused").textContent = error.message;
    at("refused").hidden = false;
  } finally {
    button.disabled = false;
  }
});

/* ------------------------------------------------------------------------- buttons */

async function tell(verb) {
  try {
    show(await ask(verb, "POST", {}));
  } catch (error) {
    showWarnings([error.message]);
  }
}

at("pause").addEventListener("click", () => tell("pause"));
at("resume").addEventListener("click", () => tell("resume"));
at("stop").addEventListener("click", () => { at("confirm").hidden = false; at("stop-no").focus(); });
at("stop-no").addEventListener("click", () => { at("confirm").hidden = true; });
at("stop-yes").addEventListener("click", () => { at("confirm").hidden = true; tell("stop"); });

/* ---------------------------------------------------------------------------- life */

async function look() {
  try {
    show(await ask("status"));
    failures = 0;
  } catch {
    failures += 1;
  }
  at("offline").hidden = failures < 2;
}

async function poll() {
  if (!document.hidden) await look();
  setTimeout(poll, POLL_MS * Math.min(8, 1 + failures));
}

async function begin() {
  fill({ name: "time-lapse", interval_s: 30, frames: 120 });
  poll();
  try {
    const { camera } = await ask("microscope");
    for (const [name, [width, height]] of Object.entries(camera.modes)) {
      const option = document.createElement("option");
      option.value = name;
      option.textContent = `${name}, ${width} × ${height}`;
      form.elements.mode.append(option);
    }
    const kept = (await ask("preferences")).plan;
    if (kept) fill(kept);
  } catch { /* the form shows its own values */ }
  estimate();
}

begin();
