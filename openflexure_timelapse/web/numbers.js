/* Numbers, sizes and times as people read them; pure. */

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds > 0 && seconds < 10 && !Number.isInteger(seconds)) return `${+seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return parts(Math.floor(s / 60), "min", s % 60, "s");
  const minutes = Math.round(s / 60);
  if (minutes < 48 * 60) return parts(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(s / 3600);
  return parts(Math.floor(hours / 24), "d", hours % 24, "h");
}

const parts = (large, unit, small, lesser) => (small ? `${large} ${unit} ${small} ${lesser}` : `${large} ${unit}`);

export const countdown = (seconds) => (seconds < 0.5 ? "now" : duration(Math.round(seconds)));

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let rank = 0;
  let left = count;
  while (left >= 1000 && rank < units.length - 1) { left /= 1000; rank += 1; }
  return `${left.toFixed(rank === 0 || left >= 100 ? 0 : 1)} ${units[rank]}`;
}

export const whole = (count) => Number(count).toLocaleString();

export const many = (count, one) => `${whole(count)} ${one}${count === 1 ? "" : "s"}`;

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return "–";
  return ms < 1000 ? `${Math.round(ms)} ms` : duration(ms / 1000);
}

/* A time in the viewer's zone; the microscope's own beside it where the two differ. */
export function moment(iso, now = new Date()) {
  const time = new Date(iso);
  if (!iso || Number.isNaN(time.getTime())) return "–";
  const here = told(time, now);
  const offset = offsetOf(iso);
  if (offset === null || offset === -time.getTimezoneOffset()) return here;
  const there = new Date(time.getTime() + (offset + time.getTimezoneOffset()) * 60000);
  return `${here} (${told(there, time)} at the microscope, ${zone(offset)})`;
}

function told(time, now) {
  const options = { hour: "2-digit", minute: "2-digit" };
  if (time.toDateString() !== now.toDateString()) {
    Object.assign(options, { weekday: "short", day: "numeric", month: "short" });
    if (time.getFullYear() !== now.getFullYear()) options.year = "numeric";
  }
  return time.toLocaleString(undefined, options);
}

/* Minutes east of UTC as written in the text; null where it says nothing. */
function offsetOf(iso) {
  if (/[zZ]$/.test(iso)) return 0;
  const found = /([+-])(\d\d):?(\d\d)$/.exec(iso);
  if (!found) return null;
  const minutes = Number(found[2]) * 60 + Number(found[3]);
  return found[1] === "-" ? -minutes : minutes;
}

function zone(minutes) {
  const size = Math.abs(minutes);
  const rest = size % 60 ? `:${String(size % 60).padStart(2, "0")}` : "";
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
}

/* What was typed, with a comma or a point; null when empty, NaN when it is no number. */
export function typed(text) {
  const tidy = String(text).trim().replace(",", ".");
  return tidy === "" ? null : Number(tidy);
}

/* A number as a field shows it: never 0.30000000000000004. */
export const shown = (number, digits = 6) =>
  (number === null || number === undefined ? "" : String(+Number(number).toPrecision(digits)));
