// What a turn's three events say: who asked what, who decided and why, who failed or what was answered.

import { code, digest, el, facts, folded, id, lines, mark, marked, number, pairs, raw } from "/marks.js";

const WHOSE = { caller: "the caller’s", gateway: "the gateway’s", provider: "the provider’s" };
const STATES = { worked: "Worked", failed: "Failed", refused: "Refused", waiting: "Waiting" };

/** Say what became of a turn, by the observer's row of it. */
export function stateOf(turn) {
  if (turn.decision_result === "DENY") return "refused";
  if (!turn.has_execution) return "waiting";
  return turn.has_errors ? "failed" : "worked";
}

/** Make the word of a state with its mark. */
export function stateMark(state) {
  return marked(state, STATES[state]);
}

/** Tell in one sentence what became of a turn. */
export function summary({ DECISION, EXECUTION }) {
  const decided = DECISION?.payload;
  const done = EXECUTION?.payload;
  if (decided?.result === "DENY")
    return [stateMark("refused"), " by ", id(decided.policy_id ?? "the gateway"), ": ",
      code(decided.reason_codes.join(", ")), ". Nothing was sent."];
  if (!done)
    return [stateMark("waiting"), decided ? " for what comes of it: it was allowed." : " for a decision."];
  if (done.error !== undefined)
    return [stateMark("failed"), " after it was allowed: ", code(done.error.code), ", ",
      WHOSE[done.error.responsibility] ?? id(done.error.responsibility), " error."];
  const took = EXECUTION.obs.latency_ms;
  return [stateMark("worked"), ": allowed by ", id(decided?.policy_id ?? "the gateway"), ", answered by ",
    id(done.provider ?? "–"), took === undefined ? "." : ` in ${number(took)} ms.`];
}

/** Return the cards of a turn in their order, each with what it is drawn from. */
export function cardsOf({ INTENT, DECISION, EXECUTION }) {
  const undone = DECISION ? "Nothing has come of it yet." : "Nothing leaves before a decision.";
  const refused = DECISION?.payload.result === "DENY";
  return [
    { kind: "INTENT", event: INTENT, absent: "Not there." },
    { kind: "DECISION", event: DECISION, absent: "Not decided yet." },
    { kind: "EXECUTION", event: EXECUTION, absent: refused ? "None: what is denied reaches no provider." : undone },
  ];
}

/** Draw one card. */
export function card({ kind, event, absent }) {
  if (!event)
    return el("li", { className: "card absent" }, head(kind, null), el("p", { className: "soft" }, absent));
  const drawn = { INTENT: intent, DECISION: decision, EXECUTION: execution }[kind];
  const [look, ...said] = drawn(event.payload, event);
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
      ["type", id(event.intent_type)],
      ["tenant", who.tenant && id(who.tenant)],
      ["roles", (who.roles ?? []).join(", ")],
      ["wants model", envelope.requested_model_id && id(envelope.requested_model_id)],
      ["claims", envelope.inputs && lines(envelope.inputs)],
      ["tools", envelope.declared_tools?.join(", ")],
      ["tool scope", envelope.tool_scope],
      ["asks for", envelope.budget && budget(envelope.budget)],
      ["form", envelope.form],
      ["besides", lines(rest)],
    ])];
}

function decision(payload) {
  const allowed = payload.result === "ALLOW";
  const reasons = payload.reasons ?? payload.reason_codes.map((why) => ({ code: why }));
  return [allowed ? "allowed" : "denied",
    el("p", { className: "verdict" }, mark(allowed ? "worked" : "refused"), payload.result),
    el("ul", { className: "reasons", ariaLabel: "Reasons" }, reasons.map(reason)),
    facts([
      ["decided by", id(payload.policy_id ?? "the gateway")],
      ["pack", payload.policy_digest && digest(payload.policy_digest)],
      ["snapshot", payload.snapshot && digest(payload.snapshot)],
      ["provider", payload.provider && id(payload.provider)],
      ["model", payload.model_id && id(payload.model_id)],
      ["budget", payload.budget && budget(payload.budget)],
    ]),
    payload.facts && folded(`Facts that it saw (${Object.keys(payload.facts).length})`, () =>
      pairs(payload.facts) ?? el("p", { className: "soft" }, "None."))];
}

function reason({ code: why, gate, because }) {
  return el("li", {}, code(why), because && el("bdi", {}, String(because)),
    gate && [" at ", el("code", {}, String(gate))]);
}

function execution(payload, event) {
  const about = [
    ["provider", payload.provider && id(payload.provider)],
    ["model", payload.model_id && id(payload.model_id)],
    ["took", event.obs.latency_ms === undefined ? null : `${number(event.obs.latency_ms)} ms`],
    ["was sent", payload.release_digest ? digest(payload.release_digest) : "nothing"],
  ];
  const { error } = payload;
  if (error === undefined)
    return ["answered",
      el("p", { className: "verdict" }, mark("worked"), "ok"),
      text(payload.output_text, "The answer is empty."),
      facts([...about, ["usage", lines(payload.usage ?? {})]])];
  return ["erred",
    el("p", { className: "verdict" }, mark("failed"), "error"),
    el("p", { className: "whose" }, WHOSE[error.responsibility] ?? id(error.responsibility), " error: ",
      code(error.code)),
    text(error.message, "It says no more."),
    facts([
      ["status", String(error.status_code)],
      ["try again", error.retryable ? "may help" : "will not help"],
      ...about,
    ])];
}

function text(value, empty) {
  const said = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  if (said === "") return el("p", { className: "soft" }, empty);
  // What is so long that it is scrolled can be reached by keys too.
  const scrolled = said.length > 400 || said.split("\n").length > 10;
  const reached = scrolled ? { tabIndex: 0, role: "group", ariaLabel: "Text that is scrolled" } : {};
  return el("div", { className: "text", dir: "auto", ...reached }, said);
}

function budget({ max_tokens: tokens, max_duration_ms: duration }) {
  return [duration && `${number(duration / 1000)} s`, tokens && `${number(tokens)} tokens`].filter(Boolean).join(", ");
}

function proof(event) {
  return el("div", { className: "proof" },
    facts([["digest", digest(event.digest)], ["after", digest(event.prev_event_digest)]]),
    folded("Raw event", () => raw(event, "Raw event")));
}
