// What the node tells as it happens, and what it answers.

import { merge, nothing } from './state.js';

/** How long a hidden page goes on listening, in milliseconds. It is told everything again when it is seen. */
const HIDDEN_PATIENCE = 30_000;

/** How long it takes until a lost connection is tried again, in milliseconds. */
const RETRY = 1000;

/**
 * After how long without a word a connection counts as lost, in milliseconds. The node gives a sign of life every
 * 15 seconds; without that one whose power was cut would look alive for ever.
 */
const SILENCE = 45_000;

/** Why a question has no answer. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Asks the node. */
export async function ask(path) {
  return answer(await fetch(path, { headers: { accept: 'application/json' } }));
}

/** Has the node do something. */
export async function post(path, value) {
  const headers = { 'content-type': 'application/json' };
  return answer(await fetch(path, { method: 'POST', headers, body: JSON.stringify(value) }));
}

async function answer(response) {
  const text = await response.text();
  if (!response.ok) throw new Refused(response.status, text.trim() || `the node says ${response.status}`);
  return text ? JSON.parse(text) : null;
}

/**
 * A stream of events that is opened again when it breaks. `open` gives its address, and `heard` gets what comes.
 * `changed` gets `live`, `lost` or `login`, and `troubled` why nothing comes.
 */
export function listen(open, name, heard, changed, troubled = () => {}) {
  let source = null;
  // Of the next try, or of the end of patience with a hidden page.
  let timer = null;
  let silence = null;
  let closed = false;
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(lost, SILENCE);
  };
  const start = () => {
    clearTimeout(timer);
    if (closed || source) return;
    source = new EventSource(open());
    alive();
    source.addEventListener('alive', alive);
    source.addEventListener(name, (event) => {
      alive();
      changed('live');
      heard(JSON.parse(event.data));
    });
    source.addEventListener('trouble', (event) => troubled(JSON.parse(event.data)));
    source.onerror = lost;
  };
  const pause = () => {
    clearTimeout(timer);
    clearTimeout(silence);
    source?.close();
    source = null;
  };
  const lost = () => {
    pause();
    changed('lost');
    // An EventSource does not say why: whether somebody has to log in is asked.
    fetch('api/session')
      .then((response) => response.json())
      .then((session) => session.open || changed('login'))
      .catch(() => {});
    // A hidden page has time until it is seen.
    if (!document.hidden) timer = setTimeout(start, RETRY);
  };
  const seen = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(pause, HIDDEN_PATIENCE);
    else start();
  };
  document.addEventListener('visibilitychange', seen);
  start();
  return () => {
    closed = true;
    document.removeEventListener('visibilitychange', seen);
    pause();
  };
}

/** The network, kept up to date. `show` gets it whenever it has changed. */
export function follow(show, changed) {
  let state = nothing();
  return listen(
    () => 'api/live',
    'state',
    (told) => {
      state = { ...merge(state, told), heard: performance.now() };
      show(state);
    },
    changed,
  );
}
