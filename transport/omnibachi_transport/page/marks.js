// How things are put on the page: elements made of names and texts, marks that tell states apart without colour, and
// lists that change in place. Text from a server becomes a text node or the value of an attribute, never markup.

const SVG = "http://www.w3.org/2000/svg";
const MARKS = {
  worked: "M3 8.5 6.5 12 13 4.5",
  failed: "M4 4l8 8M12 4l-8 8",
  refused: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM3.8 3.8l8.4 8.4",
  waiting: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM8 4.6V8l2.4 1.8",
  critical: "M5.4 1.8h5.2l3.6 3.6v5.2l-3.6 3.6H5.4l-3.6-3.6V5.4ZM8 4.8v4M8 11.2v.1",
  warn: "M8 2 14.6 13.6H1.4ZM8 6.4v3.2M8 11.6v.1",
  info: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM8 7.4v3.8M8 4.9v.1",
  live: "M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5ZM3.4 3.4a6.5 6.5 0 0 0 0 9.2M12.6 3.4a6.5 6.5 0 0 1 0 9.2",
  away: "M2.5 8a5.5 5.5 0 0 1 9.6-3.7M13.5 8a5.5 5.5 0 0 1-9.6 3.7M12.4 1.6v3h-3M3.6 14.4v-3h3",
  chain: "M6.8 9.2a2.8 2.8 0 0 0 4 0l2-2a2.8 2.8 0 0 0-4-4l-.8.8"
    + "M9.2 6.8a2.8 2.8 0 0 0-4 0l-2 2a2.8 2.8 0 0 0 4 4l.8-.8",
};

/** Make an element; what is no property of it becomes an attribute, and texts among its parts become text nodes. */
export function el(name, properties = {}, ...parts) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...parts.flat(3).filter((part) => part !== null && part !== undefined && part !== false));
  return made;
}

/** Make the mark of a state, for the eye alone: words stand beside it. */
export function mark(name) {
  const drawn = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", MARKS[name]);
  drawn.setAttribute("viewBox", "0 0 16 16");
  drawn.setAttribute("class", `mark ${name}`);
  drawn.setAttribute("aria-hidden", "true");
  drawn.append(path);
  return drawn;
}

/** Make a mark with its words. */
export function marked(name, ...words) {
  return el("span", { className: `marked ${name}` }, mark(name), el("span", {}, ...words));
}

/** Make an id as it was given: in a box of its own, so that its direction of writing stays its own. */
export function id(text, properties = {}) {
  return el("bdi", { className: "id", ...properties }, String(text));
}

/** Make a code or another word that is no prose. */
export function code(text) {
  return el("code", {}, String(text));
}

/** Make a digest short enough to read; the whole of it stands behind it and in the raw event. */
export function digest(text) {
  const whole = String(text);
  return el("code", { title: whole }, whole.length > 24 ? `${whole.slice(0, 15)}…` : whole);
}

/** Write a number for people. */
export function number(value) {
  return typeof value === "number" ? value.toLocaleString("en") : "–";
}

/** Write a count with its noun. */
export function count(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Make a list of terms and what is said of each; what is absent is left out. */
export function facts(rows) {
  const told = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return told.length
    ? el("dl", { className: "facts" }, told.map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]))
    : null;
}

/** Make a list of names and values that are whatever somebody said. */
export function pairs(members) {
  return facts(Object.entries(members).map(([name, value]) => [id(name), id(plain(value))]));
}

/** Make the same as lines, where there is little room; null where there are none. */
export function lines(members) {
  const told = Object.entries(members);
  return told.length ? told.map(([name, value]) => el("div", {}, id(name), ": ", id(plain(value)))) : null;
}

function plain(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Make something that is folded away; its content is made when it is first opened. */
export function folded(title, make) {
  const box = el("details", {}, el("summary", {}, title));
  box.addEventListener("toggle", () => box.open && box.children.length === 1 && box.append(make()));
  return box;
}

/** Make the JSON of a value as it is; signs that nobody sees, or that turn a line round, stand there as escapes. */
export function raw(value, title) {
  const text = JSON.stringify(value, null, 2).replace(/[\p{Cf}\p{Zl}\p{Zp}\x7f-\x9f]/gu, (found) =>
    [...Array(found.length).keys()].map((at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""));
  return el("pre", { tabIndex: 0, ariaLabel: title }, text);
}

/** Bring a list to show these items in this order: what did not change stays the element that it was, with its focus,
 * its selection and what is unfolded in it. */
export function keyed(list, items, key, draw) {
  const before = new Map([...list.children].map((node) => [node.dataset.key, node]));
  const held = list.contains(document.activeElement) ? document.activeElement : null;
  const heldKey = held?.closest("[data-key]")?.dataset.key;
  let at = list.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const said = JSON.stringify(item);
    let node = before.get(name);
    if (node?.said !== said) {
      const fresh = Object.assign(draw(item), { said });
      fresh.dataset.key = name;
      if (node === at && node) at = fresh;
      if (node) node.replaceWith(fresh);
      node = fresh;
    }
    before.delete(name);
    if (node === at) at = at.nextElementSibling;
    else list.insertBefore(node, at);
  }
  for (const node of before.values()) node.remove();
  if (!held || document.activeElement === held) return;
  const again = [...list.children].find((node) => node.dataset.key === heldKey);
  (held.isConnected ? held : again?.querySelector("a, button, summary"))?.focus({ preventScroll: true });
}

/** Let the arrow keys, Home and End go through the links of a list. */
export function arrows(list) {
  list.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("li > a")];
    const here = links.indexOf(document.activeElement);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: links.length - 1 }[event.key];
    if (here < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    links[to]?.focus();
  });
}
