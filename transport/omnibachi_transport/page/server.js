// How the page speaks with its observer: it asks, and follows `/live` for as long as somebody looks. A token, where
// one is asked for, is kept here alone and goes with every question.

const LONGEST = 10000; // ms that an answer may take
const SILENCE = 40000; // the stream says something each 15 s

const held = { token: null, stop: null, wake: null };

/** What the observer does not tell whoever asks. */
export class Refused extends Error {}

/** Ask, and return the response. */
export async function send(path, signal = AbortSignal.timeout(LONGEST)) {
  const headers = held.token ? { authorization: `Bearer ${held.token}` } : {};
  const answer = await fetch(path, { headers, cache: "no-store", signal });
  if (answer.status === 401 || answer.status === 403) throw new Refused((await answer.json()).detail);
  return answer;
}

/** Ask, and return what the answer holds; null where there is nothing of that name. */
export async function ask(path) {
  const answer = await send(path);
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${path.split("?")[0]} answers ${answer.status}`);
  return answer.json();
}

/** Use a token from now on. */
export function useToken(token) {
  held.token = token;
  held.wake?.();
}

/** Follow for ever: `changed` is called at every change, `told` whenever the stream begins (true) or breaks off. */
export async function follow(changed, told) {
  document.addEventListener("visibilitychange", () => (document.hidden ? held.stop?.abort() : held.wake?.()));
  window.addEventListener("pagehide", () => held.stop?.abort());
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    // A browser has few connections for all pages of one server, so a page that nobody sees gives its own back.
    while (document.hidden) await woken();
    held.stop = new AbortController();
    try {
      const answer = await send("/live", held.stop.signal);
      if (!answer.ok) throw new Error(String(answer.status));
      wait = 500;
      told(true);
      await changes(answer.body, held.stop, changed);
    } catch { /* it is tried again */ }
    held.stop.abort();
    told(false);
    await Promise.race([new Promise((done) => setTimeout(done, wait)), woken()]);
  }
}

function woken() {
  return new Promise((done) => { held.wake = done; });
}

async function changes(body, stop, changed) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const silence = setTimeout(() => stop.abort(), SILENCE);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    if (blocks.some((block) => /^event: ?change$/m.test(block))) changed();
  }
}
