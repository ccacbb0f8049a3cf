// What every view is made of: numbers for people, DOM nodes, charts.
// What the server sends becomes a text node or an attribute, never markup: log lines hold whatever a client sent.

export const byId = (id) => document.getElementById(id);

// --- Numbers and times for people ---

export const NOTHING = "–";
const DURATIONS = [[1e3, 1, "ms"], [6e4, 1e3, "s"], [36e5, 6e4, "min"], [1728e5, 36e5, "h"], [Infinity, 864e5, "days"]];
const SIZES = [[1e3, 1, "B"], [1e6, 1e3, "kB"], [1e9, 1e6, "MB"], [1e12, 1e9, "GB"], [Infinity, 1e12, "TB"]];
const [small, middling, large] = [{ maximumSignificantDigits: 2 }, { maximumFractionDigits: 1 }, { maximumFractionDigits: 0 }]
  .map((digits) => new Intl.NumberFormat("en-US", digits));

export function number(value) {
  if (value == null) return NOTHING;
  const size = Math.abs(value);
  return (size < 1 ? small : size < 100 ? middling : large).format(value);
}

function scaled(value, steps) {
  if (value == null) return NOTHING;
  const [, size, unit] = steps.find(([limit]) => Math.abs(value) < limit);
  return `${number(value / size)} ${unit}`;
}

export const bytes = (value) => scaled(value, SIZES);
export const duration = (ms) => scaled(ms, DURATIONS);
export const seconds = (value) => (value === 0 ? "0 s" : duration(value == null ? null : value * 1000));
export const rate = (value) => (value == null ? NOTHING : `${number(value)}/s`);
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

const HOUR = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
export const clock = new Intl.DateTimeFormat("en-GB", HOUR);
export const exactClock = new Intl.DateTimeFormat("en-GB", { ...HOUR, fractionalSecondDigits: 3 });
const calendar = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** Local time for reading, with the day when it is not today; the server's own text as the title. */
export function time(iso, format = clock) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  const day = date.toDateString() === new Date().toDateString() ? "" : `${calendar.format(date)}, `;
  return el("time", { datetime: iso, title: iso }, day + format.format(date));
}

// --- DOM nodes ---

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) if (value != null) node.setAttribute(name, value);
  node.append(...children.flat().filter((child) => child != null));
  return node;
}

export const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** Makes `old` equal to `fresh` but keeps its nodes, so that focus, selection, scrolling and open rows survive a poll. */
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType === Node.TEXT_NODE) return old.data === fresh.data || (old.data = fresh.data);
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  morphChildren(old, [...fresh.childNodes]);
}

const keyOf = (node) => node.dataset?.key;

function morphChildren(parent, fresh) {
  const wanted = new Set(fresh.map(keyOf));
  const kept = new Map();
  for (const child of [...parent.childNodes]) {
    const key = keyOf(child);
    if (key && !wanted.has(key)) child.remove();
    else if (key) kept.set(key, child);
  }
  fresh.forEach((node, place) => {
    const at = parent.childNodes[place] ?? null;
    const key = keyOf(node);
    const old = key ? kept.get(key) : at && !keyOf(at) ? at : null;
    kept.delete(key);
    if (old !== at || !old) parent.insertBefore(old ?? node, at);
    if (old) morph(old, node);
  });
  while (parent.childNodes.length > fresh.length) parent.lastChild.remove();
}

/** Shows these nodes, and nothing else, in the element with this id. */
export const put = (id, ...nodes) => morphChildren(byId(id), [...el("div", {}, ...nodes).childNodes]);
const SYMBOLS = { ok: "✓", busy: "↻", warn: "▲", bad: "✕" };
export const badge = (tone, word) => el("span", { class: `badge ${tone}` }, `${SYMBOLS[tone]} ${word}`);
export const requestHash = (traceId) => `#/requests/${encodeURIComponent(traceId)}`;

/** Shows either the box or, when there is nothing in it, the sentence that stands after it. */
export function showBox(box, filled) {
  box.hidden = !filled;
  box.nextElementSibling.hidden = filled;
}

/** Rows are {key, cells, below}; the first cell names its row, and the classes are those of the table's head. */
export function putRows(id, rows) {
  const heads = byId(id).tHead.rows[0].cells;
  const cellOf = (cell, column) =>
    column === 0 ? el("th", { scope: "row" }, cell) : el("td", { class: heads[column].className }, cell);
  morphChildren(byId(id).tBodies[0], rows.flatMap(({ key, cells, below }) => [
    el("tr", { "data-key": key }, cells.map(cellOf)),
    ...(below ? [el("tr", { "data-key": `${key} below`, class: "below" }, el("td", { colspan: heads.length }, below))] : []),
  ]));
  showBox(byId(id).parentNode, rows.length > 0);
}

// --- Charts ---

const WIDTH = 600;
const HEIGHT = 100;
export const stepOf = (points) => WIDTH / Math.max(points - 1, 1);
export const largest = (values) => values.reduce((most, value) => Math.max(most, value ?? 0), 0);

/** The newest value is at the right edge; a null lifts the pen. "h0" draws a dot, so that a value alone is seen. */
function linePath(values, step, top) {
  return values.map((value, place) => {
    if (value == null) return "";
    const x = (WIDTH - (values.length - 1 - place) * step).toFixed(1);
    const y = (HEIGHT - (value / top) * HEIGHT).toFixed(1);
    return values[place - 1] == null ? `M${x} ${y}h0` : `L${x} ${y}`;
  }).join("");
}

/** The next of 1, 2, 5, 10, 20 …, so that the axis does not jump at every poll. */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((factor) => factor * power >= value * 0.9999) * power;
}

export function plot(series, step, top, label, extra) {
  const grid = [0, HEIGHT / 2, HEIGHT].map((y) => svg("path", { class: "grid", d: `M0 ${y}H${WIDTH}` }));
  const lines = series.map(({ name, values }) => svg("path", { class: `line ${name}`, d: linePath(values, step, top) }));
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label };
  return svg("svg", box, grid, lines, extra);
}

/** Unseen columns over a chart: the one under the pointer tells its values as a title. */
export function hoverColumns(series, step, now, everySeconds) {
  const columns = Math.max(...series.map(({ values }) => values.length));
  return Array.from({ length: columns }, (_, age) => {
    const values = series.map((one) => `${one.name} ${rate(one.values.at(-1 - age))}`);
    const at = clock.format(new Date(now - age * everySeconds * 1000));
    const box = { x: (WIDTH - (age + 0.5) * step).toFixed(1), y: 0, width: step.toFixed(1), height: HEIGHT };
    return svg("rect", { class: "column", ...box }, svg("title", {}, [at, ...values].join("\n")));
  });
}

export function sparkline(name, values, points, format) {
  const most = values.some((value) => value != null) ? format(largest(values)) : NOTHING;
  const label = `${name}: now ${format(values.at(-1))}, at most ${most}`;
  return el("div", { class: "spark" },
    plot([{ name, values }], stepOf(points), largest(values) || 1, label, svg("title", {}, label)),
    el("small", {}, `max ${most}`));
}

/** A bar from `start` to `start + length`, both shares of the whole; always wide enough to be seen. */
export function bar(start, length, kind) {
  const wide = Math.min(1, Math.max(length, 0.004));
  const percent = (share) => `${(share * 100).toFixed(2)}%`;
  const box = { x: percent(Math.max(0, Math.min(start, 1 - wide))), width: percent(wide), height: "100%" };
  return svg("svg", { class: "bar", "aria-hidden": "true" }, svg("rect", { class: kind, ...box }));
}
