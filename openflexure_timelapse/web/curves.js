/* Focus, drift and lateness as small curves. */

import { getQuietly, path } from "./api.js";
import { el, show, svg } from "./dom.js";
import { milliseconds, whole } from "./numbers.js";

const POINTS = 120;
const WIDTH = 240;
const HEIGHT = 44;
const steps = (value) => `${whole(Math.round(value))} steps`;
const KINDS = [
  { what: "focus", title: "Focus height", lines: ["z"], told: steps },
  { what: "drift", title: "Drift", lines: ["x", "y"], told: steps },
  { what: "lateness", title: "Due to exposure", lines: [""], told: milliseconds },
];

export class Curves {
  constructor(run) {
    this.run = run;
    this.element = el("div", { className: "curves", hidden: true });
  }

  async update() {
    const charts = [];
    for (const kind of KINDS) {
      const address = `${path("runs", this.run, "series")}?what=${kind.what}&points=${POINTS}`;
      const told = await getQuietly(address);
      if (!told) continue;
      for (const { position, points } of told.series || [told]) {
        if (points.length > 1) charts.push(chart(kind, position, points));
      }
    }
    const drawn = charts.filter(Boolean);
    if (!drawn.length) return; // what was shown stays
    this.element.replaceChildren(...drawn);
    show(this.element);
  }
}

function chart(kind, position, points) {
  const values = points.flatMap((point) => point.slice(1)).filter(Number.isFinite);
  if (!values.length) return null;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const x = (slot) => ((slot - first) / Math.max(1, last - first)) * WIDTH;
  const y = (value) => HEIGHT - 3 - ((value - low) / (high - low || 1)) * (HEIGHT - 6);
  const lines = points[0].slice(1).map((_, index) => {
    const drawn = points.filter((point) => Number.isFinite(point[index + 1]))
      .map((point) => `${x(point[0]).toFixed(1)},${y(point[index + 1]).toFixed(1)}`);
    return svg("polyline", { points: drawn.join(" "), class: `line line-${index}` });
  });
  const newest = points[points.length - 1].slice(1).map((value, index) =>
    `${kind.lines[index] ? `${kind.lines[index]} ` : ""}${Number.isFinite(value) ? kind.told(value) : "–"}`).join(", ");
  const range = low === high ? "" : `${kind.told(low)} to ${kind.told(high)}`;
  const title = [kind.title, position && position !== "here" ? position : ""].filter(Boolean).join(", ");
  return el("figure", {},
    el("figcaption", { className: "small" }, el("span", { text: title, dir: "auto" }), el("b", { text: newest })),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `${title}: ${range || newest}` }, lines),
    el("p", { className: "quiet small", text: range }));
}
