// The rows of the page's lists, threads, turns and signals, and where they lead.

import { stateMark, stateOf } from "/cards.js";
import { code, count, el, folded, id, mark, marked, number, raw } from "/marks.js";

const enc = encodeURIComponent;

/** Return the address of a thread in this page. */
export function toThread(thread) {
  return `#/thread/${enc(thread)}`;
}

/** Return the address of a turn in this page. */
export function toTurn(thread, turn) {
  return `${toThread(thread)}/turn/${enc(turn)}`;
}

/** Draw what stands in the place of threads where there are none. */
export function noThreads({ silent: unheard, elsewhere }) {
  if (elsewhere) return el("li", { className: "empty" }, "There are no older ones.");
  return el("li", { className: "empty" },
    el("p", {}, el("b", {}, "No thread yet.")),
    el("p", {}, unheard ? "The gateway does not answer. It is asked again by itself."
      : "What the gateway records appears here by itself. To send it a first intent:"),
    !unheard && el("p", {}, el("code", {}, "omnibachi witness happy_path")));
}

/** Draw a thread. */
export function threadRow(row) {
  const counts = [["worked", row.execution_ok_total], ["refused", row.deny_total],
    ["failed", row.execution_error_total], ["waiting", row.pending_total]].filter(([, many]) => many);
  return el("li", {}, el("a", { href: toThread(row.thread_id), "aria-current": row.here && "true" },
    el("span", { className: "name" }, id(row.thread_id), row.raised && marked(row.raised, row.raised)),
    el("span", { className: "counts" }, el("span", {}, count(row.turns_total, "turn")),
      counts.map(([state, many]) => el("span", { className: `marked ${state}`, title: state }, mark(state),
        number(many), el("span", { className: "unseen" }, ` ${state} `))))));
}

/** Draw a turn of a thread. */
export function turnRow(thread, row) {
  const state = stateOf(row);
  const why = row.error_code ?? (state === "refused" ? row.reason_codes.join(", ") : null);
  const took = why || row.latency_ms === null ? null : el("span", {}, `${number(row.latency_ms)} ms`);
  const where = el("span", { title: "Events" }, `#${row.first_index}–${row.last_index}`);
  return el("li", {}, el("a", { href: toTurn(thread, row.turn_id), "aria-current": row.here && "true" },
    el("span", { className: "name" }, id(row.turn_id), stateMark(state)),
    el("span", { className: "counts" }, why && code(why), took, where)));
}

/** Draw a signal; of one that stands with its thread, `own`, it is not said again which. */
export function signalRow(one, own = false) {
  const about = one.scope === "thread" ? ["thread ", el("a", { href: toThread(one.key) }, id(one.key))]
    : "the whole ledger";
  const since = one.at_index === null ? null : `, at event ${number(one.at_index)}`;
  return el("li", { className: `signal ${one.severity}` },
    el("p", { className: "name" }, marked(one.severity, one.severity), el("b", {}, one.title)),
    el("p", {}, el("bdi", {}, one.detail)),
    !own && el("p", { className: "soft" }, about, since, " · ", code(one.id)),
    folded("Evidence", () => raw(one.evidence, "Evidence")));
}
