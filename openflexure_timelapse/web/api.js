/* The verbs of the microscope, asked over HTTP. Addresses are relative to the page, so
   that it works below any path. Nothing here waits for ever. */

const ROOT = new URL("../", document.baseURI);
const PATIENCE_MS = 20000;

class ApiError extends Error {
  constructor(status, data) {
    super(data.message || `The microscope answered ${status}.`);
    this.fields = data.fields || [];
  }
}

class NoAnswerError extends Error {
  constructor() {
    super("The microscope did not answer. A run goes on there by itself; try again in a moment.");
  }
}

/* `parts` are names as they are; they come back safe for an address. */
export const path = (...parts) => parts.map(encodeURIComponent).join("/");

export const address = (relative) => new URL(relative, ROOT).href;

export const frameAddress = (run, n, width) =>
  address(`${path("runs", run, "frames", n)}${width ? `?width=${width}` : ""}`);

export const fileAddress = (run, name) =>
  address(`${path("runs", run, "files")}/${path(...name.split("/"))}`);

async function answer(relative, options, patience = PATIENCE_MS) {
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), patience);
  try {
    const found = await fetch(address(relative), { ...options, signal: control.signal });
    return { found, body: await found[options.kind || "text"]() };
  } catch {
    throw new NoAnswerError();
  } finally {
    clearTimeout(timer);
  }
}

export async function ask(relative, method = "GET", body = undefined, patience = undefined) {
  const options = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const { found, body: text } = await answer(relative, options, patience);
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    // A proxy or a server that is just starting answers with a page of its own.
    if (found.ok || found.status >= 500) throw new NoAnswerError();
    data = {};
  }
  if (!found.ok) throw new ApiError(found.status, data);
  return data;
}

export const get = (relative) => ask(relative);
export const post = (relative, body = {}) => ask(relative, "POST", body);

export async function picture(relative) {
  const { found, body } = await answer(relative, { kind: "blob" });
  if (!found.ok) throw new ApiError(found.status, {});
  return body;
}

/* For what costs no word where it cannot be had: what was shown stays. */
export const getQuietly = (relative) => get(relative).catch(() => null);
