// The operator's page: asking the server, each view, and the routing. What the views are made of is in parts.js.

import {
  badge, bar, byId, bytes, clock, count, duration, el, exactClock, hoverColumns, largest, NOTHING, number,
  plot, put, putRows, rate, requestHash, roundUp, seconds, showBox, sparkline, stepOf, svg, time,
} from "./parts.js";

const { body } = document;

// --- Asking the server ---

class Refusal extends Error {}
const PATIENCE_MS = 10_000;
let everySeconds = 2;
/** What is wrong at the moment, by the poll that met it. */
const troubles = new Map();

/** The JSON of an answer; null when the server does not know the thing. */
async function ask(url, signal) {
  const response = await fetch(url, { cache: "no-store", signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]) });
  if (response.status === 404) return null;
  if (response.status >= 500) throw new Error(`${url} answered ${response.status}`);
  const answer = await response.json();
  if (!response.ok) throw new Refusal(answer.error?.message ?? response.status);
  return answer;
}

/** Asks for one kind of thing again and again, never twice at once. `urlOf` gives null when there is nothing to ask for. */
function poll(urlOf, show) {
  let timer;
  let stopper = new AbortController();
  let lastAnswer = new Date();

  async function round({ signal }) {
    const url = urlOf();
    let answer;
    let trouble;
    try {
      answer = url && (await ask(url, signal));
      lastAnswer = new Date();
    } catch (error) {
      trouble = error instanceof Refusal ? `The server refuses: ${error.message}` : `No answer since ${clock.format(lastAnswer)}; trying again`;
    }
    if (signal.aborted) return;
    timer = setTimeout(round, everySeconds * 1000, stopper);
    trouble ? troubles.set(show, trouble) : troubles.delete(show);
    put("banner", [...troubles.values()][0]);
    body.toggleAttribute("data-stale", troubles.size > 0);
    if (url && !trouble) show(answer);
  }

  const stop = () => { clearTimeout(timer); stopper.abort(); };
  const start = () => { stop(); stopper = new AbortController(); if (!document.hidden) round(stopper); };
  return { start, stop };
}

// --- The head of the page and the overview ---

const HEALTH = { OK: ["ok", "OK"], WARN: ["warn", "Warning"], DOWN: ["bad", "Down"] };
const STATES = {
  STARTING: ["busy", "Starting"], CATCHING_UP: ["busy", "Catching up"], LIVE: ["ok", "Live"],
  FAILED: ["bad", "Failed"], NEEDS_UPGRADE: ["warn", "Needs upgrade"], STOPPED: ["warn", "Stopped"],
};
const wordFor = (words, key) => words[key] ?? ["warn", String(key)];

function showState(state) {
  everySeconds = state.chart.everySeconds || everySeconds;
  const past = seconds(state.chart.points * everySeconds);
  for (const node of document.querySelectorAll(".past")) node.textContent = past;
  for (const show of [showHead, showProblems, showRoles, showTraffic, showProjections, showSagas, showParked]) show(state);
  arrived("state");
}

function showHead({ service, now, ready, waitingFor, memory }) {
  put("service", service.name);
  put("about", `version ${service.version}, up ${duration(new Date(now) - new Date(service.startedAt))} since `, time(service.startedAt));
  put("ready", ready ? badge("ok", "READY") : badge("bad", "NOT READY"),
    !ready && waitingFor.length > 0 ? ` waits for ${waitingFor.join(", ")}` : null);
  const kept = `${count(memory.requests, "request")} and ${count(memory.logLines, "log line")}`;
  put("memory", `This process keeps ${kept} in memory: ${bytes(memory.usedBytes)} of ${bytes(memory.budgetBytes)}.`);
  body.dataset.ready = ready;
  document.title = `${ready ? "" : "✕ not ready: "}${service.name}`;
}

/** The worst first, so that the eye meets it first. */
function showProblems({ ready, roles, projections, parked, sagas }) {
  const all = [
    ...roles.map(({ name, health }) => [...wordFor(HEALTH, health), `role ${name}`]),
    ...projections.map(({ name, state }) => [...wordFor(STATES, state), `projection ${name}`]),
    ...parked.map(({ projection, rows }) => ["warn", `Parked ${count(rows, "row")}`, `projection ${projection}`]),
    ...sagas.map(({ name, stuck }) => [stuck > 0 ? "warn" : "ok", `Stuck ${number(stuck)}`, `saga ${name}`]),
  ];
  const lines = ["bad", "warn"].flatMap((wanted) => all.filter(([tone]) => tone === wanted))
    .map(([tone, what, where]) => el("li", {}, badge(tone, what), `: ${where}`));
  if (lines.length === 0 && ready) lines.push(el("li", {}, badge("ok", "All is well")));
  put("problems", lines);
}

function factValue({ value, unit }) {
  const known = { ms: duration, s: seconds, B: bytes, "B/s": (size) => `${bytes(size)}/s` }[unit];
  if (typeof value === "number" && known) return known(value);
  const text = typeof value === "number" ? number(value) : String(value ?? NOTHING);
  return unit && value != null ? `${text} ${unit}` : text;
}

function showRoles({ roles }) {
  const factRow = (fact) => el("div", {}, el("dt", {}, fact.label), el("dd", {}, factValue(fact)));
  put("roles", roles.map(({ name, health, facts }) => el("li", { "data-key": name, "data-role": name, "data-health": health },
    el("h4", {}, `${name} `, badge(...wordFor(HEALTH, health))), el("dl", {}, facts.map(factRow)))));
}

function showTraffic({ traffic, chart: { points }, now }) {
  const legend = [...document.querySelectorAll("[data-series]")];
  const series = legend.map(({ dataset: { series: name } }) => ({ name, values: (traffic[name] ?? []).slice(-points) }));
  const top = roundUp(largest(series.flatMap(({ values }) => values)));
  const newest = series.map(({ values }) => rate(values.at(-1)));
  legend.forEach((item, place) => { item.lastElementChild.textContent = newest[place]; });
  const label = `Traffic a second, now: ${series.map(({ name }, place) => `${name} ${newest[place]}`).join(", ")}`;
  put("traffic-scale", [top, top / 2, 0].map((value) => el("span", {}, rate(value))));
  put("traffic-plot", plot(series, stepOf(points), top, label, hoverColumns(series, stepOf(points), new Date(now), everySeconds)));
  showBox(byId("traffic"), series.some(({ values }) => values.length > 0));
}

function buildLine({ share, events, eventsPerSecond, etaSeconds }) {
  const parts = [share == null ? "share not known yet" : `${Math.floor(share * 100)}%`, count(events, "event"),
    eventsPerSecond == null ? null : rate(eventsPerSecond), etaSeconds == null ? "no estimate yet" : `ready in about ${seconds(etaSeconds)}`];
  return el("div", { class: "build" }, el("span", {}, "Building a new version"),
    el("progress", { max: 1, value: share, "aria-label": "Share of the new version that is built" }),
    el("span", {}, parts.filter(Boolean).join(", ")));
}

const countCell = (value) => (value > 0 ? badge("warn", number(value)) : number(value));

/** A section is of no use in a process that has neither the role nor a row of it. */
function showSection(id, { roles }, role, rows) {
  byId(id).closest("section").hidden = rows.length === 0 && !roles.some(({ name }) => name === role);
}

function showProjections(state) {
  const { projections, chart: { points } } = state;
  putRows("projections", projections.map((one) => ({
    key: one.name,
    cells: [one.name, badge(...wordFor(STATES, one.state)), rate(one.eventsPerSecond),
      sparkline("rate", one.rate.slice(-points), points, rate), [seconds(one.lagSeconds), el("small", {}, bytes(one.lagBytes))],
      sparkline("lag", one.lag.slice(-points), points, seconds), countCell(one.parked),
      one.beatSecondsAgo == null ? NOTHING : `${seconds(one.beatSecondsAgo)} ago`],
    below: one.build && buildLine(one.build),
  })));
  showSection("projections", state, "projections", projections);
}

function showSagas(state) {
  putRows("sagas", state.sagas.map(({ name, running, stuck, over, outbox, inFlight }) =>
    ({ key: name, cells: [name, number(running), countCell(stuck), number(over), number(outbox), number(inFlight)] })));
  showSection("sagas", state, "sagas", state.sagas);
}

function showParked(state) {
  putRows("parked", state.parked.map(({ projection, rows, oldestSeconds }) =>
    ({ key: projection, cells: [projection, number(rows), seconds(oldestSeconds)] })));
  byId("parked-hint").hidden = state.parked.length === 0;
  showSection("parked", state, "projections", [...state.parked, ...state.projections]);
}

// --- Requests ---

const KINDS = ["slow", "failed", "recent"];
const kindOf = ({ parameters }) => (KINDS.includes(parameters.get("kind")) ? parameters.get("kind") : KINDS[0]);

function showRequests(id, requests) {
  const longest = largest(requests.map(({ durationMs }) => durationMs)) || 1;
  putRows(id, requests.map((one) => ({
    key: one.traceId,
    cells: [el("a", { href: requestHash(one.traceId), "data-trace": one.traceId }, one.name),
      one.failed ? badge("bad", "failed") : "ok", duration(one.durationMs),
      bar(0, one.durationMs / longest, one.failed ? "failed" : null), number(one.spans), time(one.at)],
  })));
  arrived("view");
}

// --- One request ---

/** Depth first. A span whose parent is not here stands at the left, and so does a ring of parents. */
function inTreeOrder(spans) {
  const ids = new Set(spans.map(({ id }) => id));
  const childrenOf = Map.groupBy(spans, ({ parent }) => (ids.has(parent) ? parent : null));
  const rows = new Map();
  const visit = (span, depth) => {
    if (rows.has(span)) return;
    rows.set(span, { span, depth, orphan: span.parent != null && !ids.has(span.parent) });
    for (const child of childrenOf.get(span.id) ?? []) visit(child, depth + 1);
  };
  for (const span of [...(childrenOf.get(null) ?? []), ...spans]) visit(span, 0);
  return [...rows.values()];
}

function spanDetails({ id, startMs, durationMs, attributes }) {
  const asText = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));
  const rows = Object.entries(attributes ?? {}).map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, asText(value))));
  const head = el("tr", {}, ["Attribute", "Value"].map((text) => el("th", { scope: "col" }, text)));
  return el("div", { class: "attributes" },
    el("p", {}, `Span ${id} begins at ${duration(startMs)} and takes ${duration(durationMs)}.${rows.length ? "" : " It has no attributes."}`),
    rows.length ? el("table", {}, el("thead", {}, head), el("tbody", {}, rows)) : null);
}

function spanRow({ span, depth, orphan }, whole) {
  const kind = span.failed ? "failed" : span.linked ? "linked" : null;
  const mark = (shown, text) => (shown ? el("small", { class: "mark" }, text) : null);
  // An empty picture makes the indent, because style attributes are forbidden here.
  const indent = svg("svg", { width: Math.min(depth, 16) * 14, height: 1, "aria-hidden": "true" });
  const words = el("span", { class: "words" }, el("b", {}, span.name), el("small", {}, String(span.kind).toLowerCase()),
    span.failed ? badge("bad", "failed") : null, mark(span.linked, "links here, in a trace of its own"),
    mark(orphan, "its parent is not in memory"));
  return el("details", { "data-key": span.id, "data-span": span.id, "data-depth": depth },
    el("summary", {}, el("span", { class: "name" }, indent, words), bar(span.startMs / whole, span.durationMs / whole, kind),
      el("span", { class: "took" }, duration(span.durationMs))),
    spanDetails(span));
}

let drawn = {};
// Projections fold a request a little after its answer, so a waterfall may still grow; after so many equal answers it is whole.
const EQUAL_ANSWERS = 5;
const requestUrl = () => (drawn.equal < EQUAL_ANSWERS ? `/ops/requests/${encodeURIComponent(current.id)}` : null);

function showRequest(answer) {
  arrived("view");
  const text = JSON.stringify(answer);
  drawn.equal = text === drawn.text ? drawn.equal + 1 : 0;
  if (answer && drawn.equal === 0) drawRequest(answer);
  // What was drawn is still true when the server has forgotten it meanwhile.
  else if (!drawn.text) put("waterfall", el("p", { class: "empty" }, "This request is not in memory any more."));
  if (answer) drawn.text = text;
}

function drawRequest({ spans, traceId }) {
  const whole = largest(spans.map(({ startMs, durationMs }) => startMs + durationMs));
  put("request-title", spans[0]?.name ?? "Request");
  put("request-facts", spans.some(({ failed }) => failed) ? badge("bad", "failed") : badge("ok", "ok"),
    ` ${count(spans.length, "span")} in ${duration(whole)}. `,
    el("a", { href: logsHash({ trace: traceId }), id: "request-logs" }, "Its logs"), ". Trace ", el("code", {}, traceId));
  const scale = [0, whole / 2, whole].map((at) => el("span", {}, duration(at)));
  put("waterfall", el("div", { class: "scale", "aria-hidden": "true" }, el("div", { class: "along" }, scale)),
    inTreeOrder(spans).map((row) => spanRow(row, whole || 1)));
}

function enterRequest() {
  if (drawn.id === current.id) return;
  drawn = { id: current.id, equal: 0 };
  for (const id of ["waterfall", "request-facts"]) put(id);
  put("request-title", "Request");
}

// --- Logs ---

const PAGE = 100;
const TONES = { ERROR: "bad", WARN: "warn" };
let logs;
let typing = null;

const filterOf = ({ parameters }) => Object.fromEntries(["q", "level", "trace"].map((name) => [name, parameters.get(name) ?? ""]));
const queryOf = (filter) => new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== "")).toString();
const logsHash = (filter) => `#/logs?${queryOf(filter)}`.replace(/\?$/, "");
const logsUrl = (more) => `/ops/logs?${queryOf({ ...filterOf(current), ...more, limit: PAGE })}`;

/** New lines may come in only where they do not move what somebody reads. */
const mayMove = () => !logs.seen || (!logs.older && byId("logs").getBoundingClientRect().top >= 0);

function newestLogsUrl() {
  const live = mayMove();
  put("logs-state-text", live ? "Newest first; new lines come by themselves." : "New lines wait while you read.");
  byId("logs-newest").hidden = live;
  return live ? logsUrl({}) : null;
}

function logRow({ seq, at, level, target, message, fields, traceId }) {
  const pairs = Object.entries(fields ?? {}).flatMap(([name, value]) => [" ", el("span", {}, el("i", {}, `${name}=`), String(value))]);
  return el("li", { "data-key": seq, "data-level": level },
    time(at, exactClock), el("span", { class: `level ${TONES[level] ?? ""}` }, level), el("span", { class: "target" }, target),
    el("span", { class: "message" }, message, pairs),
    traceId ? el("a", { href: requestHash(traceId), title: `Request ${traceId}` }, traceId.slice(0, 8)) : null);
}

function showLogs({ lines, more }) {
  if (!mayMove()) return;
  logs = { lines, more, seen: true };
  drawLogs();
}

function drawLogs(note) {
  const { lines, more } = logs;
  put("logs", lines.map(logRow));
  byId("logs-older").hidden = !more;
  const end = lines.length ? "These are all that are in memory." : "No line matches.";
  put("logs-note", note ?? (more ? `${count(lines.length, "line")} shown` : end));
  arrived("view");
}

async function showOlder() {
  const shown = logs;
  if (shown.asking) return;
  Object.assign(shown, { older: true, asking: true });
  const answer = await ask(logsUrl({ before: shown.lines.at(-1).seq }), new AbortController().signal).catch(() => null);
  // Somebody changed the filter or left meanwhile: these lines belong to no list any more.
  if (shown !== logs || current.view !== "logs") return;
  shown.asking = false;
  if (!answer) return drawLogs("No answer; try again.");
  Object.assign(shown, { lines: [...shown.lines, ...answer.lines], more: answer.more });
  drawLogs();
}

function enterLogs() {
  logs = { lines: [] };
  const { q, level, trace } = filterOf(current);
  // While somebody types, the box is ahead of the address.
  if (typing === null && byId("logs-q").value !== q) byId("logs-q").value = q;
  byId("logs-level").value = level;
  put("logs-trace", trace && ["Only of ", el("a", { href: requestHash(trace) }, `request ${trace.slice(0, 8)}`), ". ",
    el("a", { href: logsHash({ q, level }) }, "Show all")]);
}

/** Typing replaces the entry in the history: Back leaves the logs and does not step through every letter. */
function applyFilter(change) {
  clearTimeout(typing);
  typing = null;
  const filter = { q: byId("logs-q").value, level: byId("logs-level").value, trace: filterOf(current).trace };
  history[change](null, "", logsHash(filter));
  route();
}

// --- Which view ---

const VIEWS = {
  overview: { urlOf: () => "/ops/requests?kind=slow", show: ({ requests }) => showRequests("slowest", requests.slice(0, 5)) },
  requests: { urlOf: () => `/ops/requests?kind=${kindOf(current)}`, show: ({ requests }) => showRequests("requests", requests) },
  request: { urlOf: requestUrl, show: showRequest, enter: enterRequest },
  logs: { urlOf: newestLogsUrl, show: showLogs, enter: enterLogs },
};
let current = {};
const seen = new Set();

/** Tells, as an attribute of the body, when all that the current view shows has come. */
function arrived(what) {
  seen.add(what);
  if (seen.has("view") && (seen.has("state") || current.view !== "overview")) body.dataset.loaded = true;
}

function readHash() {
  const [, path, query] = location.hash.match(/^#?\/?([^?]*)\??(.*)$/s);
  const [name, id] = path.split("/");
  const view = name === "requests" && id ? "request" : ["requests", "logs"].includes(name) ? name : "overview";
  return { view, id, parameters: new URLSearchParams(query) };
}

function route() {
  const before = current;
  current = readHash();
  const { view } = current;
  body.dataset.view = view;
  delete body.dataset.loaded;
  seen.delete("view");
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== `view-${view}`;
  for (const link of document.querySelectorAll("[data-nav], [data-kind]")) {
    const wanted = link.dataset.kind ? kindOf(current) : view.replace(/request$/, "requests");
    link.ariaCurrent = (link.dataset.kind ?? link.dataset.nav) === wanted ? "page" : null;
  }
  VIEWS[view].enter?.();
  viewPoll.start();
  if (before.view && (before.view !== view || before.id !== current.id)) {
    scrollTo(0, 0);
    byId(`view-${view}`).querySelector("h2").focus({ preventScroll: true });
  }
}

const statePoll = poll(() => "/ops/state", showState);
const viewPoll = poll(() => VIEWS[current.view].urlOf(), (answer) => VIEWS[current.view].show(answer));

addEventListener("hashchange", route);
document.addEventListener("visibilitychange", () => {
  for (const one of [statePoll, viewPoll]) document.hidden ? one.stop() : one.start();
});
byId("logs-filter").addEventListener("submit", (event) => { event.preventDefault(); applyFilter("replaceState"); });
byId("logs-q").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(applyFilter, 300, "replaceState"); });
byId("logs-level").addEventListener("change", () => applyFilter("pushState"));
byId("logs-older").addEventListener("click", showOlder);
byId("logs-newest").addEventListener("click", () => { scrollTo(0, 0); route(); });
statePoll.start();
route();
