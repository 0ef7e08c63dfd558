// What a turn's three events say: who asked what, who decided and why, who failed or what was answered.

import { digest, el, facts, folded, id, mark, marked, number } from "/marks.js";

const WHOSE = { caller: "the caller’s", gateway: "the gateway’s", provider: "the provider’s" };
const STATES = { worked: "Worked", failed: "Failed", refused: "Refused", waiting: "Waiting" };

/** Say what became of a turn, by the observer's row of it. */
export function stateOf(turn) {
  if (turn.decision_result === "DENY") return "refused";
  if (!turn.has_execution) return "waiting";
  return turn.has_errors ? "failed" : "worked";
}

/** Say what became of a turn, by its events. */
export function stateOfEvents({ DECISION, EXECUTION }) {
  if (DECISION?.payload.result === "DENY") return "refused";
  if (!EXECUTION) return "waiting";
  return EXECUTION.payload.error === undefined ? "worked" : "failed";
}

/** Make the word of a state with its mark. */
export function stateMark(state) {
  return marked(state, STATES[state]);
}

/** Tell in one sentence what became of a turn. */
export function summary({ DECISION, EXECUTION }) {
  const state = stateOfEvents({ DECISION, EXECUTION });
  const decided = DECISION?.payload;
  const done = EXECUTION?.payload;
  const took = EXECUTION?.obs.latency_ms;
  if (state === "refused")
    return [stateMark(state), " by ", id(decided.policy_id ?? "the gateway"), ": ", el("code", {}, decided.reason_codes.join(", ")),
      ". Nothing was sent."];
  if (state === "failed")
    return [stateMark(state), " after it was allowed: ", el("code", {}, done.error.code), ", ",
      WHOSE[done.error.responsibility] ?? done.error.responsibility, " error."];
  if (state === "worked")
    return [stateMark(state), ": allowed by ", id(decided?.policy_id ?? "the gateway"), ", answered by ", id(done.provider ?? "–"),
      took === undefined ? "." : ` in ${number(took)} ms.`];
  return [stateMark(state), decided ? " for what comes of it: it was allowed." : " for a decision."];
}

/** Return the cards of a turn in their order, each with what it is drawn from. */
export function cardsOf({ INTENT, DECISION, EXECUTION }) {
  const refused = DECISION?.payload.result === "DENY";
  return [
    { kind: "INTENT", event: INTENT },
    { kind: "DECISION", event: DECISION, absent: "Not decided yet." },
    { kind: "EXECUTION", event: EXECUTION,
      absent: refused ? "None: what is denied reaches no provider." : DECISION ? "Nothing has come of it yet." : "Nothing leaves before a decision." },
  ];
}

/** Draw one card. */
export function card({ kind, event, absent }) {
  if (!event) return el("li", { className: "card absent" }, head(kind, null), el("p", { className: "soft" }, absent ?? "Not there."));
  const [look, ...said] = { INTENT: intent, DECISION: decision, EXECUTION: execution }[kind](event.payload, event);
  return el("li", { className: `card ${look}` }, head(kind, event), said, proof(event));
}

function head(kind, event) {
  const at = String(event?.obs.at ?? "");
  return el("div", { className: "card-head" }, el("h3", {}, kind),
    event && el("span", { className: "soft" }, `#${event.index}`),
    at && el("time", { dateTime: at, title: at, className: "soft" }, at.slice(11).replace("Z", "")));
}

function intent(payload, event) {
  const { message, _envelope: envelope = {}, ...rest } = payload;
  const who = envelope.identity ?? {};
  return ["asked",
    el("p", { className: "said-by" }, "said by ", id(event.actor), " · known as ", id(who.principal ?? "nobody"),
      who.verified ? " (verified)" : " (not verified)"),
    text(message, "The message is empty."),
    facts([
      ["type", event.intent_type], ["tenant", who.tenant], ["roles", (who.roles ?? []).join(", ")],
      ["wants model", envelope.requested_model_id], ["claims", envelope.inputs && pairs(envelope.inputs)],
      ["tools", envelope.declared_tools?.join(", ")], ["tool scope", envelope.tool_scope],
      ["asks for", envelope.budget && budget(envelope.budget)], ["form", envelope.form],
      ["besides", pairs(rest)],
    ])];
}

function decision(payload) {
  const allowed = payload.result === "ALLOW";
  return [allowed ? "allowed" : "denied",
    el("p", { className: "verdict" }, mark(allowed ? "worked" : "refused"), payload.result),
    el("ul", { className: "reasons", ariaLabel: "Reasons" }, (payload.reasons ?? payload.reason_codes.map((code) => ({ code }))).map(reason)),
    facts([
      ["decided by", id(payload.policy_id ?? "the gateway")], ["pack", payload.policy_digest && digest(payload.policy_digest)],
      ["snapshot", payload.snapshot && digest(payload.snapshot)], ["provider", payload.provider && id(payload.provider)],
      ["model", payload.model_id && id(payload.model_id)], ["budget", payload.budget && budget(payload.budget)],
    ]),
    payload.facts && folded(`Facts that it saw (${Object.keys(payload.facts).length})`, () =>
      pairs(payload.facts) ?? el("p", { className: "soft" }, "None."))];
}

function reason({ code, gate, because }) {
  return el("li", {}, el("code", {}, String(code)), because && el("bdi", {}, String(because)),
    gate && [" at ", el("code", {}, String(gate))]);
}

function execution(payload, event) {
  const about = [
    ["provider", payload.provider && id(payload.provider)], ["model", payload.model_id && id(payload.model_id)],
    ["took", event.obs.latency_ms === undefined ? null : `${number(event.obs.latency_ms)} ms`],
  ];
  const sent = ["was sent", payload.release_digest ? digest(payload.release_digest) : "nothing"];
  const { error } = payload;
  if (error === undefined)
    return ["answered", el("p", { className: "verdict" }, mark("worked"), "ok"), text(payload.output_text, "The answer is empty."),
      facts([...about, ["usage", pairs(payload.usage ?? {})], sent])];
  return ["erred", el("p", { className: "verdict" }, mark("failed"), "error"),
    el("p", { className: "whose" }, WHOSE[error.responsibility] ?? id(error.responsibility), " error: ", el("code", {}, String(error.code))),
    text(error.message, "It says no more."),
    facts([["status", number(error.status_code)], ["try again", error.retryable ? "may help" : "will not help"], ...about, sent])];
}

function text(value, empty) {
  return value === "" || value === undefined || value === null
    ? el("p", { className: "soft" }, empty)
    : el("div", { className: "text", dir: "auto", tabIndex: String(value).length > 500 ? 0 : -1 }, String(value));
}

function budget({ max_tokens: tokens, max_duration_ms: duration }) {
  return [duration && `${number(duration / 1000)} s`, tokens && `${number(tokens)} tokens`].filter(Boolean).join(", ");
}

function pairs(members) {
  const rows = Object.entries(members).map(([name, value]) =>
    [id(name), id(typeof value === "string" ? value : JSON.stringify(value))]);
  return facts(rows);
}

function proof(event) {
  return el("div", { className: "proof" },
    facts([["digest", digest(event.digest)], ["after", digest(event.prev_event_digest)]]),
    folded("Raw event", () => el("pre", { tabIndex: 0, ariaLabel: "Raw event" }, JSON.stringify(event, null, 2))));
}
