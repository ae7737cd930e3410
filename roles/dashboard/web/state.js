// The network as the node tells it, and what it means. Pure: nothing here touches the page.

import { number } from './format.js';

/** What is known before anything was told. */
export const nothing = () => ({
  node: '',
  nodes: new Map(),
  links: new Map(),
  events: [],
  now: 0,
  trouble: null,
  version: -1,
});

/** How many events are kept. */
const MAX_EVENTS = 200;

export const linkKey = (a, b) => (a < b ? `${a}/${b}` : `${b}/${a}`);

/** What is known after the node has told of changes, or of everything. */
export function merge(known, told) {
  const fresh = told.whole ? nothing() : known;
  const nodes = new Map(fresh.nodes);
  const links = new Map(fresh.links);
  for (const node of told.nodes) nodes.set(node.name, node);
  for (const link of told.links) links.set(linkKey(link.a, link.b), link);
  // After a reconnection everything is told once more, events too.
  const last = fresh.events.at(-1)?.number ?? 0;
  const events = [...fresh.events, ...told.events.filter((event) => event.number > last)];
  return {
    node: told.node,
    nodes: told.nodes.length || told.whole ? nodes : known.nodes,
    links: told.links.length || told.whole ? links : known.links,
    events: events.slice(-MAX_EVENTS),
    now: told.now,
    trouble: told.trouble ?? null,
    version: told.version,
  };
}

/** For how long messages that were dropped are worth a mark, in seconds. */
const LOSS_SHOWN = 300;

/** How many waiting messages are worth a mark. */
const QUEUE_SHOWN = 100;

const sides = (link) => [link.from_a, link.from_b].filter(Boolean);

/** How many messages wait for a link, both ways. */
export const queued = (link) => sides(link).reduce((sum, side) => sum + side.queued.messages, 0);

/** How many messages were lost on the way, both ways. What one side dropped, the other one misses: it counts once. */
export function lost(link) {
  const dropped = (side) => (side ? side.dropped_by_limit + side.dropped_by_age : 0);
  const missed = (side) => side?.missed ?? 0;
  const { from_a: a, from_b: b } = link;
  return Math.max(dropped(a), missed(b)) + Math.max(dropped(b), missed(a));
}

/**
 * How a link does: `good`, `idle` (none is needed), `busy` (it is being made), `warn` or `bad`; with the reason in words.
 * What is made on demand is no fault while it is not there.
 */
export function health(link, now) {
  switch (link.state) {
    case 'down':
      return { level: 'bad', text: 'down' };
    case 'connecting':
      return { level: 'busy', text: 'connecting' };
    case 'on-demand':
      return { level: 'idle', text: 'made on demand' };
    case 'never':
      return { level: 'idle', text: 'none, by policy' };
  }
  const waiting = queued(link);
  if (waiting >= QUEUE_SHOWN) return { level: 'warn', text: `up, ${waiting} messages wait` };
  if (link.lost_at !== undefined && now - link.lost_at < LOSS_SHOWN) {
    return { level: 'warn', text: 'up, messages were dropped lately' };
  }
  return { level: 'good', text: 'up' };
}

/** How a node does, likewise. */
export function nodeHealth(state, node) {
  if (node.state === 'here' || node.state === 'answers') {
    const failing = node.roles.filter((role) => role.state === 'waiting' && role.last_error);
    if (failing.length) return { level: 'warn', text: `${count(failing.length, 'role')} failing` };
    const transports = node.transports.filter((transport) => transport.state === 'failing');
    if (transports.length) return { level: 'warn', text: `${count(transports.length, 'transport')} failing` };
    const buses = node.buses.filter((bus) => bus.state === 'down');
    if (buses.length) return { level: 'warn', text: `${buses.map((bus) => `bus ${bus.name}`).join(', ')} down` };
    if (node.other_file) return { level: 'warn', text: 'another version of the file' };
    return { level: 'good', text: node.state === 'here' ? 'this node' : 'up' };
  }
  const links = linksOf(state, node.name);
  if (links.some((link) => link.state === 'up')) {
    return { level: 'good', text: node.state === 'silent' ? 'up, tells nothing of itself' : 'up' };
  }
  if (links.some((link) => link.state === 'down')) return { level: 'bad', text: 'cannot be reached' };
  if (links.some((link) => link.state === 'connecting')) return { level: 'busy', text: 'connecting' };
  return { level: 'idle', text: 'not linked at present' };
}

export const linksOf = (state, name) =>
  [...state.links.values()].filter((link) => link.a === name || link.b === name);

export const otherEnd = (link, name) => (link.a === name ? link.b : link.a);

/** Whether something is worth a look. */
export const isTrouble = ({ level }) => level === 'bad' || level === 'warn';

/** The whole network in a few numbers. */
export function summary(state) {
  const links = [...state.links.values()];
  const levels = links.map((link) => health(link, state.now).level);
  const nodes = [...state.nodes.values()];
  return {
    nodes: nodes.length,
    up: links.filter((link) => link.state === 'up').length,
    down: levels.filter((level) => level === 'bad').length,
    warned: levels.filter((level) => level === 'warn').length
      + nodes.filter((node) => nodeHealth(state, node).level === 'warn').length,
  };
}

/** All transports that links go over, in an order that stays. */
export const transports = (state) =>
  [...new Set([...state.links.values()].map((link) => link.transport).filter(Boolean))].sort();

/** What has happened, in words. */
export function told(event) {
  const pair = `${event.node} – ${event.peer}`;
  switch (event.what) {
    case 'link-up':
      return `Link up: ${pair}`;
    case 'link-down':
      return `Link down: ${pair}`;
    case 'link-closed':
      return `Link closed, not needed: ${pair}`;
    case 'messages-dropped':
      return `Messages dropped: ${pair}`;
    case 'node-started':
      return `Started: ${event.node}`;
    case 'role-failed':
      return `Role failed: ${event.role} of ${event.node}`;
    case 'role-restarted':
      return `Role restarted: ${event.role} of ${event.node}`;
    default:
      return `${event.what}: ${event.node}`;
  }
}

export const eventLevel = (event) =>
  ({ 'link-up': 'good', 'link-down': 'bad', 'role-failed': 'bad', 'messages-dropped': 'warn' })[event.what] ?? 'idle';

export const count = (amount, thing) => `${number(amount)} ${thing}${amount === 1 ? '' : 's'}`;
