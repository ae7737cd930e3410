// What the page decides by itself, without a browser: node --test roles/dashboard/tests/page/decisions.test.mjs

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listen } from '../../web/connection.js';
import { add, exported, has, hear, MAX_HELD, query } from '../../web/filter.js';
import { bytes, short, span, trip } from '../../web/format.js';
import { HEIGHT, place, readPlaces, WIDTH } from '../../web/layout.js';
import { health, lost, merge, nodeHealth, nothing, summary } from '../../web/state.js';

const side = (more = {}) => ({
  queued: { messages: 0, bytes: 0 }, dropped_by_limit: 0, dropped_by_age: 0, missed: 0, ...more,
});
const link = (a, b, state, more = {}) => ({ a, b, state, wanted: true, from_a: side(), ...more });
const node = (name, state = 'answers') => ({ name, state, roles: [], transports: [], buses: [], other_file: false });
const told = (more) => ({ whole: false, node: 'a', nodes: [], links: [], events: [], now: 1, version: 1, ...more });

test('changes are merged, and a whole state replaces what was known', () => {
  let state = merge(nothing(), told({ whole: true, nodes: [node('a', 'here'), node('b')], links: [link('a', 'b', 'up')], events: [{ number: 1 }] }));
  assert.equal(summary(state).up, 1);
  const before = state.nodes;
  state = merge(state, told({ links: [link('a', 'b', 'down')], events: [{ number: 1 }, { number: 2 }] }));
  assert.equal(state.nodes, before);
  assert.deepEqual([summary(state).down, state.events.length], [1, 2]);
  state = merge(state, told({ whole: true, nodes: [node('a', 'here')] }));
  assert.deepEqual([state.nodes.size, state.links.size], [1, 0]);
});

test('what is made on demand is no fault, and what is lost is one', () => {
  assert.equal(health(link('a', 'b', 'on-demand'), 0).level, 'idle');
  assert.equal(health(link('a', 'b', 'down'), 0).level, 'bad');
  assert.equal(health(link('a', 'b', 'up', { lost_at: 100 }), 110).level, 'warn');
  assert.equal(health(link('a', 'b', 'up', { lost_at: 100 }), 1000).level, 'good');
  assert.equal(health(link('a', 'b', 'up', { from_b: side({ queued: { messages: 500, bytes: 1 } }) }), 0).level, 'warn');
});

test('a message that one side dropped and the other missed is lost once', () => {
  assert.equal(lost(link('a', 'b', 'up', { from_a: side({ dropped_by_age: 3 }), from_b: side({ missed: 2, dropped_by_limit: 1 }) })), 4);
});

test('a node that tells nothing is as its links are', () => {
  const state = (links) => merge(nothing(), told({ whole: true, nodes: [node('a', 'here'), node('b', 'unknown')], links }));
  assert.equal(nodeHealth(state([link('a', 'b', 'down')]), node('b', 'unknown')).level, 'bad');
  assert.equal(nodeHealth(state([link('a', 'b', 'on-demand')]), node('b', 'unknown')).level, 'idle');
  assert.equal(nodeHealth(state([link('a', 'b', 'up')]), node('b', 'silent')).level, 'good');
});

test('few nodes are on a circle and many apart, the same each time, and those that have a place keep it', () => {
  const few = place(['c', 'b', 'a'], [], {}, 'b');
  assert.ok(few.b.y < few.a.y && few.b.y < few.c.y);
  assert.deepEqual(place(['a', 'b', 'c'], [], {}, 'b'), few);
  const more = place(['a', 'b', 'c', 'd'], [], few, 'b');
  assert.deepEqual({ ...more, d: undefined }, { ...few, d: undefined });

  const names = Array.from({ length: 50 }, (_, index) => `node-${index}`);
  const links = Array.from({ length: 300 }, (_, index) => link(names[index % 50], names[(index * 7 + 1) % 50], 'up')).filter(({ a, b }) => a !== b);
  const many = place(names, links, {}, 'node-0');
  assert.deepEqual(place([...names].reverse(), links, {}, 'node-0'), many);
  const places = Object.values(many);
  for (const { x, y } of places) assert.ok(x >= 0 && x <= WIDTH && y >= 0 && y <= HEIGHT);
  const nearest = Math.min(...places.flatMap((one, index) => places.slice(index + 1).map((other) => Math.hypot(one.x - other.x, one.y - other.y))));
  assert.ok(nearest > 30, `${nearest}`);
});

test('what was kept is read, whatever it is', () => {
  assert.deepEqual(readPlaces('{"a":{"x":1,"y":2},"b":{"x":"1"},"c":null}'), { a: { x: 1, y: 2 } });
  for (const text of [null, '', 'x', '[1]', '3']) assert.deepEqual(readPlaces(text), {});
});

test('filters are put into an address, and texts are found anywhere in a message', () => {
  const kinds = { event: true, order: true, log: true };
  assert.equal(query({ kinds, type: '' }, null), '');
  assert.equal(query({ kinds: { ...kinds, log: false }, type: ' t* ', node: 'a&b' }, 7), '?kind=event%2Corder&type=t*&node=a%26b&since=7');
  const message = { node: 'hub', role: 'clock', type: 'tick', channel: null, data: { text: '時計' } };
  assert.ok(has(message, 'CLOCK') && has(message, '時') && !has(message, 'other'));
  assert.equal(exported([message, message]).split('\n').length, 3);
  assert.equal(add(Array(MAX_HELD).fill(0), [1, 2]).length, MAX_HELD);
});

test('numbers are written for people', () => {
  assert.deepEqual([span(59), span(3700), span(90_000)], ['59 s', '1 h 1 min', '1 d 1 h']);
  assert.deepEqual([trip(0.25), trip(58), trip(2500)], ['0.3 ms', '58 ms', '2.5 s']);
  assert.deepEqual([bytes(0), bytes(2048), bytes(5e9)], ['0 B', '2.0 KiB', '4.7 GiB']);
  assert.equal(short('日本語の長い名前', 5), '日本語の…');
});

test('messages of an earlier life of the role are not mixed with those of this one', () => {
  let held = hear({ messages: [], leftOut: 0, last: null }, { messages: [{ number: 7 }], left_out: 3, last: 7 });
  held = hear(held, { messages: [{ number: 8 }], left_out: 0, last: 8 });
  assert.deepEqual([held.messages.length, held.leftOut], [2, 3]);
  held = hear(held, { messages: [{ number: 0 }], left_out: 0, last: 0 });
  assert.deepEqual(held, { messages: [{ number: 0 }], leftOut: 0, last: 0 });
});

test('a stream is opened again after it broke or fell silent, and whenever the page is seen', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const opened = [];
  let seen = null;
  const heard = [];
  const changes = [];
  Object.assign(globalThis, {
    document: { hidden: false, addEventListener: (_, listener) => { seen = listener; }, removeEventListener: () => { seen = null; } },
    fetch: () => new Promise(() => {}),
    EventSource: class {
      constructor() {
        this.listeners = {};
        opened.push(this);
      }

      addEventListener(name, listener) {
        this.listeners[name] = listener;
      }

      close() {
        this.isClosed = true;
      }
    },
  });
  const isOpen = () => !opened.at(-1).isClosed;
  const hide = (hidden) => {
    document.hidden = hidden;
    seen();
  };
  const close = listen(() => 'api/live', 'state', (told) => heard.push(told), (change) => changes.push(change));
  opened[0].listeners.state({ data: '1' });
  assert.deepEqual([heard, changes], [[1], ['live']]);
  // It breaks.
  opened[0].onerror();
  assert.ok(!isOpen() && changes.at(-1) === 'lost');
  t.mock.timers.tick(1000);
  assert.equal(opened.length, 2);
  // Signs of life keep it, and silence ends it.
  for (let time = 0; time < 10; time += 1) {
    t.mock.timers.tick(15_000);
    opened[1].listeners.alive();
  }
  assert.ok(isOpen() && opened.length === 2);
  t.mock.timers.tick(45_000);
  t.mock.timers.tick(1000);
  assert.ok(opened[1].isClosed && isOpen() && opened.length === 3);
  // It breaks while the page is hidden for a short time only: whoever looks again sees what happens.
  hide(true);
  t.mock.timers.tick(5000);
  opened[2].onerror();
  t.mock.timers.tick(1000);
  hide(false);
  assert.ok(isOpen());
  t.mock.timers.tick(30_000);
  assert.ok(isOpen());
  // One that stays hidden is told nothing.
  hide(true);
  t.mock.timers.tick(30_000);
  assert.ok(!isOpen());
  hide(false);
  assert.ok(isOpen());
  close();
  t.mock.timers.tick(60_000);
  assert.ok(!isOpen() && seen === null);
});
