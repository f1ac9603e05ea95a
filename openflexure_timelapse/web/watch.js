/* Follows the status for as long as the page is open: through restarts, lost networks and
   sleep. One request at a time, slower when nobody looks or nothing happens. */

import { get } from "./api.js";
import { ACTIVE } from "./words.js";

const BUSY_MS = 1000;
const CALM_MS = 2500;
const HIDDEN_MS = 15000;
const SLOWEST_MS = 8000;
const TELL_AFTER = 2;

export class Watch {
  /* `told(status)` on each answer, `silent(is)` when answers stop and when they are back. */
  constructor(told, silent) {
    this.told = told;
    this.silent = silent;
    this.status = null;
    this.failures = 0;
    this.timer = 0;
    this.asking = null;
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.soon(); });
    window.addEventListener("online", () => this.soon());
  }

  /* Asks now; resolves when the answer is shown, or when there is none. */
  soon() {
    clearTimeout(this.timer);
    if (!this.asking) {
      this.asking = this.look().finally(() => {
        this.asking = null;
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.soon(), this.pause());
      });
    }
    return this.asking;
  }

  async look() {
    let status;
    try {
      status = await get("status");
    } catch {
      this.failures += 1;
      if (this.failures >= TELL_AFTER) this.silent(true);
      return;
    }
    this.failures = 0;
    this.silent(false);
    this.take(status);
  }

  /* Shows a status that another verb answered. */
  take(status) {
    this.status = status;
    try {
      this.told(status);
    } catch (error) {
      console.error(error); // a fault in what is shown must not end the polling
    }
  }

  pause() {
    if (this.failures) return Math.min(SLOWEST_MS, BUSY_MS * this.failures);
    if (document.hidden) return HIDDEN_MS;
    const status = this.status || {};
    if (!ACTIVE.includes(status.phase)) return CALM_MS;
    return status.next_due_in_s > 10 ? CALM_MS : BUSY_MS;
  }
}
