/* The frames of a run: found by their time point in few small pages however long the run
   is, and their previews kept in a small memory of the page's own. */

import { get, path, picture } from "./api.js";

const PAGE = 100;
const MOST_PAGES = 60;
const MOST_PICTURES = 240;
const AT_ONCE = 2;

function remember(map, key, value, most, forget) {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  if (forget) forget(map.get(oldest));
  map.delete(oldest);
}

export class FrameIndex {
  /* `count` is how many frames the run has, `slots` how many time points are decided. */
  constructor(run, count, slots) {
    this.run = run;
    this.count = count;
    this.slots = slots;
    this.pages = new Map();
  }

  /* Takes that the run has grown. */
  grow(count, slots) {
    this.count = Math.max(this.count, count);
    this.slots = Math.max(this.slots, slots);
  }

  get lastPage() { return Math.max(0, Math.ceil(this.count / PAGE) - 1); }

  async page(number) {
    const kept = this.pages.get(number);
    if (kept && (kept.length === PAGE || number < this.lastPage || kept.of === this.count)) {
      remember(this.pages, number, kept, MOST_PAGES);
      return kept;
    }
    const of = this.count;
    const asked = `${path("runs", this.run, "frames")}?after=${number * PAGE}&limit=${PAGE}`;
    const rows = (await get(asked)).frames.map(({ n, slot, position, plane, time, z, sharpness, flags, width, height, elapsed_ns }) =>
      ({ n, slot, position, plane, time, z, sharpness, flags, width, height, elapsed_s: elapsed_ns / 1e9 }));
    rows.of = of;
    remember(this.pages, number, rows, MOST_PAGES);
    return rows;
  }

  /* The number of the page that holds a time point, or the frames just before it. */
  async pageOf(slot) {
    let low = 0;
    let high = this.lastPage;
    let guess = Math.min(high, Math.floor((slot / Math.max(1, this.slots)) * (high + 1)));
    while (low < high) {
      const rows = await this.page(guess);
      if (!rows.length || rows[0].slot > slot) high = Math.max(low, guess - 1);
      else if (rows[rows.length - 1].slot < slot) {
        if (guess === high) return guess;
        const next = await this.page(guess + 1);
        if (next.length && next[0].slot > slot) return guess;
        low = guess + 1;
      } else return guess;
      guess = Math.floor((low + high) / 2);
    }
    return low;
  }

  /* The newest frame of a position and plane at or before a time point, else the first. */
  async find(slot, fits) {
    if (!this.count) return null;
    const begin = await this.pageOf(slot);
    for (let number = begin; number >= 0; number -= 1) {
      const rows = (await this.page(number)).filter((row) => row.slot <= slot && fits(row));
      if (rows.length) return rows[rows.length - 1];
    }
    for (let number = 0; number <= this.lastPage; number += 1) {
      const row = (await this.page(number)).find(fits);
      if (row) return row;
    }
    return null;
  }

  /* The frame after (`by` 1) or before (-1) another of the same position and plane. */
  async beside(row, by, fits) {
    for (let number = Math.floor((row.n - 1) / PAGE); number >= 0 && number <= this.lastPage; number += by) {
      const rows = (await this.page(number)).filter((other) => fits(other) && (by > 0 ? other.n > row.n : other.n < row.n));
      if (rows.length) return by > 0 ? rows[0] : rows[rows.length - 1];
    }
    return null;
  }
}

export class Previews {
  constructor(run, width) {
    this.run = run;
    this.width = width;
    this.urls = new Map();
    this.loading = new Map();
    this.ahead = [];
  }

  /* Resolves to an address that shows at once. */
  load(n) {
    const kept = this.urls.get(n);
    if (kept) {
      remember(this.urls, n, kept, MOST_PICTURES);
      return Promise.resolve(kept);
    }
    if (!this.loading.has(n)) {
      const asked = picture(`${path("runs", this.run, "frames", n)}?width=${this.width}`)
        .then((blob) => {
          const url = URL.createObjectURL(blob);
          remember(this.urls, n, url, MOST_PICTURES, URL.revokeObjectURL);
          return url;
        })
        .finally(() => { this.loading.delete(n); this.work(); });
      this.loading.set(n, asked);
    }
    return this.loading.get(n);
  }

  /* What is likely wanted next; takes the place of what was said before. */
  prefetch(numbers) {
    this.ahead = numbers.filter((n) => !this.urls.has(n));
    this.work();
  }

  work() {
    while (this.loading.size < AT_ONCE && this.ahead.length) {
      const n = this.ahead.shift();
      if (!this.urls.has(n)) this.load(n).catch(() => { this.ahead = []; });
    }
  }

  close() {
    this.ahead = [];
    for (const url of this.urls.values()) URL.revokeObjectURL(url);
    this.urls.clear();
  }
}
