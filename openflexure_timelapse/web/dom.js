/* Making and changing elements. Whatever comes from people becomes text, never markup. */

const SVG = "http://www.w3.org/2000/svg";

export const at = (id) => document.getElementById(id);

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name in element && !name.includes("-") && element.namespaceURI !== SVG) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const el = (tag, properties, ...children) =>
  fill(document.createElement(tag), properties, children);

export const svg = (tag, properties, ...children) =>
  fill(document.createElementNS(SVG, tag), properties, children);

export function icon(name) {
  const shape = svg("svg", { class: "icon", "aria-hidden": "true" });
  shape.append(svg("use", { href: `#icon-${name}` }));
  return shape;
}

export function button(text, onclick, { glyph, kind = "", label } = {}) {
  const made = el("button", { type: "button", className: kind, onclick });
  if (glyph) made.append(icon(glyph));
  if (text) made.append(el("span", { text }));
  if (label) { made.setAttribute("aria-label", label); made.title = label; }
  return made;
}

/* Touches the page only where something is new: no flicker, nothing is read out twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, is = true) {
  if (element.hidden === is) element.hidden = !is;
}

export function facts(list, rows) {
  const wanted = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  const names = wanted.map(([name]) => name).join("\n");
  if (list.dataset.names !== names) {
    list.dataset.names = names;
    list.replaceChildren(...wanted.map(([name]) => el("div", {}, el("dt", { text: name }), el("dd"))));
  }
  wanted.forEach(([, value], index) => say(list.children[index].lastChild, value));
}

/* Asks once. Resolves to whether the answer was yes; focus goes back to where it was. */
export function confirm({ title, text, yes, no }) {
  const before = document.activeElement;
  return new Promise((resolve) => {
    const heading = el("h2", { text: title, dir: "auto", id: "asked" });
    const refuse = button(no, () => box.close("no"), {});
    const box = el("dialog", { "aria-labelledby": "asked", "aria-describedby": "asked-text" },
      heading, el("p", { text, id: "asked-text", dir: "auto" }),
      el("div", { className: "buttons" },
        button(yes, () => box.close("yes"), { kind: "stop" }), refuse));
    box.addEventListener("close", () => {
      box.remove();
      if (before && before.isConnected) before.focus();
      resolve(box.returnValue === "yes");
    });
    box.addEventListener("cancel", () => { box.returnValue = "no"; });
    document.body.append(box);
    box.showModal();
    refuse.focus();
  });
}
