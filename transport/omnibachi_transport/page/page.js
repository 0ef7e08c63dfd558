// What is shown, and what is asked for it. The address says what: `#/thread/<id>/turn/<id>`, `#/signals`, or all
// threads. Whatever the observer tells through `/live`, the same questions are asked anew and the page drawn again.

import { card, cardsOf, stateOf, summary } from "/cards.js";
import { arrows, count, el, id, keyed, mark, marked, number } from "/marks.js";
import { noThreads, signalRow, threadRow, toThread, toTurn, turnRow } from "/rows.js";
import { Refused, ask, follow, send, useToken } from "/server.js";

const THREADS = 50;
const TURNS = 100;
const SIGNALS = 100;
const CALM = 250; // ms between two drawings
const BEAT = 5000; // signals rise with time too, so it is asked without a change
const SEVERITIES = ["critical", "warn", "info"];
const HEADINGS = { start: "threads-head", signals: "overview-head", thread: "turns-head", turn: "turn-head" };

const at = (name) => document.getElementById(name);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const enc = encodeURIComponent;

const now = { offset: 0, turns: TURNS, live: false, reached: null, asked: false, busy: false, told: {} };

// ---- where

function place() {
  const found = location.hash.match(/^#\/(?:(signals)|thread\/([^/]+)(?:\/turn\/([^/]+))?)$/);
  try {
    const [, signals, thread, turn] = found ?? [];
    if (signals) return { view: "signals" };
    if (turn) return { view: "turn", thread: decodeURIComponent(thread), turn: decodeURIComponent(turn) };
    if (thread) return { view: "thread", thread: decodeURIComponent(thread) };
  } catch { /* an address that is none leads to the start */ }
  return { view: "start" };
}

// ---- asking and drawing, one after the other

async function load(where) {
  const [status, signals, threads, story] = await Promise.all([
    ask("/status"),
    ask("/signals"),
    ask(`/threads?limit=${THREADS}&offset=${now.offset}`),
    where.thread === undefined ? null : ask(`/threads/${enc(where.thread)}?limit=${now.turns}`),
  ]);
  const turn = where.turn ?? story?.turns.at(-1)?.turn_id;
  const row = story?.turns.find((one) => one.turn_id === turn);
  const version = row && `${row.correlation_id} ${row.last_index}`;
  const events = turn === undefined ? null : await eventsOf(where.thread, turn, version);
  return { status, signals: signals.signals, threads, story, turn, events };
}

/** Ask for a turn's events by kind; what was told stays good until the turn has a further one. */
async function eventsOf(thread, turn, version) {
  const name = JSON.stringify([thread, turn, version]);
  if (version && now.events?.name === name) return now.events.found;
  const answer = await ask(`/events?thread_id=${enc(thread)}&turn_id=${enc(turn)}`);
  const found = answer?.events.length ? Object.fromEntries(answer.events.map((event) => [event.kind, event])) : null;
  now.events = { name, found };
  return found;
}

function refresh() {
  now.asked = true;
  if (!now.busy) again();
}

async function again() {
  now.busy = true;
  try {
    while (now.asked && !document.hidden) {
      now.asked = false;
      const where = place();
      const found = await load(where).catch(failed);
      if (JSON.stringify(where) !== JSON.stringify(place())) {
        now.asked = true;
        continue;
      }
      if (found) {
        now.reached = new Date();
        notice(null);
        draw(where, found);
      }
      await Promise.race([pause(CALM), new Promise((moved) => { now.moved = moved; })]);
    }
  } finally {
    now.busy = false;
  }
}

function failed(error) {
  drawStates();
  if (error instanceof Refused) askForToken(error.message);
  else notice(unreached(error));
}

function draw(where, found) {
  document.body.dataset.view = where.view;
  drawStates(found.status, found.signals);
  drawThreads(where, found);
  drawSignals(found);
  drawFigures(found.status);
  if (where.thread !== undefined) {
    drawTurns(where, found);
    drawTurn(where, found);
  }
  const names = where.view === "signals" ? ["Signals"] : [where.turn, where.thread].filter(Boolean);
  document.title = [...names, "Observer"].join(" · ");
  keepFocus(where);
  tell(where, found);
}

/** Where what had the focus is not shown any more, the heading of what is has it. */
function keepFocus({ view }) {
  const held = document.activeElement;
  if (now.view && now.view !== view && (held === document.body || !held.checkVisibility())) at(HEADINGS[view]).focus();
  now.view = view;
}

// ---- the parts

/** Draw the states at the top; of an observer that does not answer no more is said than that. */
function drawStates(status, signals) {
  const waiting = now.reached ? "Reconnecting" : "Connecting";
  const rows = [{ key: "stream", look: now.live ? "live" : "away", words: now.live ? "Live" : waiting }];
  if (status) rows.push(...statesOf(status, signals));
  keyed(at("states"), rows, (row) => row.key, ({ look, words, href }) => {
    const said = look === "quiet" ? words : marked(look, words);
    return el("li", { className: look }, href ? el("a", { href }, said) : el("span", {}, said));
  });
}

function statesOf(status, signals) {
  const href = "#/signals";
  const chain = status.verified ? { look: "chain", words: "Chain verified" }
    : { look: "critical", words: "Chain broken", href };
  const rows = [{ key: "chain", ...chain }];
  if (silent(signals)) rows.push({ key: "gateway", look: "warn", words: "Gateway silent", href });
  for (const severity of SEVERITIES) {
    const many = status.active_signals[severity];
    if (many) rows.push({ key: severity, look: severity, words: `${number(many)} ${severity}`, href });
  }
  if (!signals.length) rows.push({ key: "none", look: "quiet", words: "No signals", href });
  return rows;
}

function silent(signals) {
  return signals.some((one) => one.id === "system.gateway.unreachable");
}

function drawThreads(where, { threads, signals }) {
  const { threads: rows, total } = threads;
  const last = now.offset + rows.length;
  at("threads-count").textContent = total
    ? `${number(now.offset + 1)}–${number(last)} of ${number(total)}, newest first` : "";
  at("pager").hidden = total <= THREADS;
  at("newer").disabled = now.offset === 0;
  at("older").disabled = last >= total;
  at("find").hidden = total === 0;
  // The most severe stands first, and of several rows of a map the last one stays.
  const raised = new Map(ofThreads(signals).map((one) => [one.key, one.severity]).reverse());
  const items = rows.map((row) => (
    { ...row, raised: raised.get(row.thread_id), here: row.thread_id === where.thread }));
  const none = { silent: silent(signals), elsewhere: total > 0 };
  keyed(at("threads"), items.length ? items : [none], (row) => row.thread_id ?? "", (row) =>
    row.thread_id ? threadRow(row) : noThreads(row));
}

function ofThreads(signals) {
  return signals.filter((one) => one.scope === "thread");
}

function drawTurns(where, { story, signals, turn }) {
  at("turns-head").replaceChildren("Thread ", id(where.thread));
  at("turns-count").textContent = story ? `${count(story.thread.turns_total, "turn")}, newest first`
    : "The observer knows no such thread. It appears here once the gateway has recorded it.";
  const rows = (story?.turns ?? []).map((row) => ({ ...row, here: row.turn_id === turn })).reverse();
  keyed(at("turns"), rows, (row) => row.turn_id, (row) => turnRow(where.thread, row));
  at("more").parentNode.hidden = !story || story.thread.turns_total <= rows.length;
  const own = ofThreads(signals).filter((one) => one.key === where.thread);
  keyed(at("thread-signals"), own, (one) => one.id, (one) => signalRow(one, true));
}

function drawTurn(where, { turn, events }) {
  at("back-to-turns").href = toThread(where.thread);
  document.body.classList.toggle("no-turn", turn === undefined);
  if (turn === undefined) return;
  at("turn-head").replaceChildren(where.turn === undefined ? "Newest turn " : "Turn ", id(turn));
  const first = events && Object.values(events)[0];
  at("turn-place").replaceChildren(...(first ? placeOf(where.thread, first)
    : ["The observer knows no such turn. It appears here once the gateway has recorded it."]));
  at("summary").replaceChildren(...(events ? summary(events) : []));
  const cards = events ? cardsOf(events).map((one) => ({ ...one, of: first.correlation_id })) : [];
  keyed(at("cards"), cards, (one) => one.kind, card);
  drawPicture(first?.correlation_id, Object.keys(events ?? {}).length);
}

function placeOf(thread, event) {
  const parent = event.parent_turn_id;
  const after = parent === null ? [] : [", after ", el("a", { href: toTurn(thread, parent) }, id(parent))];
  return ["correlation ", id(event.correlation_id), ...after, ", ", id(event.stream_id), " / ", id(event.lane),
    `, ${String(event.obs.at ?? "").slice(0, 10)} UTC`];
}

async function drawPicture(correlation, events) {
  const name = JSON.stringify([correlation, events]);
  if (name === now.picture) return;
  now.picture = name;
  at("picture").hidden = correlation === undefined;
  if (correlation === undefined) return;
  try {
    const answer = await send(`/picture?correlation_id=${enc(correlation)}`);
    const text = await answer.text();
    if (!answer.ok) throw new Error(JSON.parse(text).detail);
    if (name === now.picture) showPicture(text);
  } catch (error) {
    if (name !== now.picture) return;
    now.picture = null; // The next drawing asks again.
    at("drawing").hidden = true;
    at("caption").textContent = `It cannot be drawn now: ${error.message}`;
  }
}

function showPicture(text) {
  const before = at("drawing").src;
  at("drawing").src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  if (before) URL.revokeObjectURL(before);
  at("drawing").hidden = false;
  const signs = { lt: "<", gt: ">", quot: '"', "#x27": "'", amp: "&" };
  const told = text.match(/<desc>([^<]*)<\/desc>/)?.[1] ?? "";
  at("caption").textContent = told.replace(/&(lt|gt|quot|#x27|amp);/g, (_, sign) => signs[sign]);
}

function drawSignals({ signals }) {
  const more = signals.length - SIGNALS;
  const rows = [...signals.slice(0, SIGNALS), ...(more > 0 ? [{ words: `and ${number(more)} more` }] : [])];
  keyed(at("signals"), rows.length ? rows : [{ words: "No signal is raised." }], (one) => one.id ?? "", (one) =>
    one.id ? signalRow(one) : el("li", { className: "empty" }, el("b", {}, one.words)));
}

function drawFigures(status) {
  const took = status.latency_ms;
  const ms = (value) => (value === null ? "–" : `${number(value)} ms`);
  const behind = status.lag ? `${number(status.lag)} behind the gateway` : "none missing";
  const rows = [
    ["Events", number(status.event_count), status.lag === null ? "the gateway has not answered yet" : behind],
    ["Threads", number(status.thread_count)],
    ["Turns", number(status.turn_count)],
    ["Denied", status.turn_count ? `${Math.round(status.deny_rate * 100)} %` : "–", "of the turns"],
    ["Latency, p95", ms(took.p95), `p50 ${ms(took.p50)}, p99 ${ms(took.p99)}, of ${count(took.sample_count, "call")}`],
  ];
  keyed(at("figures"), rows, ([term]) => term, ([term, value, more]) =>
    el("div", {}, el("dt", {}, term),
      el("dd", {}, el("b", {}, value), more && el("span", { className: "soft" }, more))));
}

async function drawRules() {
  if (!at("rules").open || at("rules-list").children.length) return;
  try {
    const { rules } = await ask("/signals/rules");
    keyed(at("rules-list"), rules, (rule) => rule.id, (rule) => el("li", { className: "signal" },
      el("p", { className: "name" }, marked(rule.severity, rule.severity), el("code", {}, rule.id)),
      el("p", {}, rule.raised_while)));
  } catch (error) {
    failed(error);
  }
}

// ---- what is said aloud, and what is wrong

/** Say to those who listen what has changed: signals, and the turns of the thread that is open. */
function tell(where, { signals, story, threads }) {
  const states = Object.fromEntries((story?.turns ?? []).map((row) => [row.turn_id, stateOf(row)]));
  const before = now.told;
  now.told = { thread: where.thread, states, signals: signals.map((one) => one.id), total: threads.total };
  if (before.signals === undefined) return;
  const news = signals.filter((one) => !before.signals.includes(one.id))
    .map((one) => `New ${one.severity} signal: ${one.title}.`);
  if (before.thread === where.thread && story) {
    const moved = Object.entries(states).filter(([turn, state]) => before.states[turn] !== state);
    news.push(...moved.slice(-3).map(([turn, state]) => `Turn ${turn}: ${state}.`));
  }
  if (where.view === "start" && before.total < threads.total) news.push(`${count(threads.total, "thread")}.`);
  if (news.length) at("told").textContent = news.join(" ");
}

function unreached(error) {
  const since = now.reached ? ` What stands here is as of ${now.reached.toLocaleTimeString("en-GB")}.` : "";
  return [mark("away"), el("span", {}, el("b", {}, "The observer cannot be reached."),
    `${since} It is asked again by itself. (${error.message})`)];
}

function notice(parts) {
  const box = at("notice");
  const said = parts?.map((part) => part.textContent).join("") ?? "";
  if (box.dataset.said === said) return;
  box.dataset.said = said;
  box.hidden = !parts;
  box.replaceChildren(...(parts ?? []));
}

function askForToken(why) {
  if (at("token")) return;
  const field = el("input", { id: "token", type: "password", autocomplete: "off", required: true });
  const form = el("form", { className: "row" },
    el("label", { htmlFor: "token" }, "Token with the role “read”"), field, el("button", {}, "Use it"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    useToken(field.value.trim());
    notice(null);
    refresh();
  });
  notice([el("p", {}, el("b", {}, "This observer asks for a token."),
    ` It says: ${why}. The token is kept in this page alone and is gone when it is closed.`), form]);
  field.focus();
}

// ---- begin

function stream(live) {
  if (now.live === live || document.hidden) return;
  now.live = live;
  refresh();
}

function step(by) {
  now.offset = Math.max(0, now.offset + by);
  refresh();
}

function start() {
  window.addEventListener("hashchange", () => {
    now.turns = TURNS;
    now.moved?.();
    refresh();
  });
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  at("skip").addEventListener("click", (event) => {
    event.preventDefault(); // The address says what is shown, not where one reads.
    at("main").focus();
  });
  at("find").addEventListener("submit", (event) => {
    event.preventDefault();
    if (at("find-id").value) location.hash = toThread(at("find-id").value);
  });
  at("newer").addEventListener("click", () => step(-THREADS));
  at("older").addEventListener("click", () => step(THREADS));
  at("more").addEventListener("click", () => {
    now.turns += TURNS;
    refresh();
  });
  at("rules").addEventListener("toggle", drawRules);
  arrows(at("threads"));
  arrows(at("turns"));
  setInterval(refresh, BEAT);
  refresh();
  follow(refresh, stream);
}

start();
