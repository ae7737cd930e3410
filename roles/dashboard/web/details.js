// All that is known of one node, or of what is between two.

import { html, useEffect, useRef, useState } from './vendor/preact-htm.js';
import { Facts, Level, Trouble } from './parts.js';
import { bytes, number, span, trip } from './format.js';
import { ask } from './connection.js';
import { count, eventLevel, health, linkKey, linksOf, lost, nodeHealth, otherEnd, queued, told } from './state.js';

export function Details({ state, chosen, choose }) {
  const node = chosen?.node && state.nodes.get(chosen.node);
  const link = chosen?.link && state.links.get(linkKey(...chosen.link));
  const place = useRef(null);
  // Where all is below one another, what was chosen may be out of sight.
  useEffect(() => {
    if (chosen && innerWidth < 1080) place.current.scrollIntoView({ block: 'start' });
  }, [chosen?.node, chosen?.link?.join('/')]);
  return html`
    <aside class="details card" aria-label="Details" ref=${place}>
      ${node && html`<${NodeDetails} key=${node.name} state=${state} node=${node} choose=${choose} />`}
      ${link && html`<${LinkDetails} key=${`${link.a}/${link.b}`} state=${state} link=${link} choose=${choose} />`}
      ${!node && !link && html`<${Changes} state=${state} events=${state.events} choose=${choose} />`}
    </aside>
  `;
}

const Close = ({ choose }) => html`<button class="close" onClick=${() => choose(null)} aria-label="Close the details">✕</button>`;

/** How many changes are shown at first. */
const SHOWN_CHANGES = 6;

/** What has changed lately, the last first. */
export function Changes({ state, events, choose, title = 'What changed' }) {
  const [all, setAll] = useState(false);
  const shown = events.slice(all ? 0 : -SHOWN_CHANGES).reverse();
  return html`
    <h2>${title}</h2>
    ${events.length === 0 && html`<p class="quiet">Nothing has changed since the page's role started. Choose a node or a link for its details.</p>`}
    <ol class="changes">
      ${shown.map((event) => html`
        <li key=${event.number}>
          <button class="plain" onClick=${() => choose(event.peer ? { link: [event.node, event.peer] } : { node: event.node })}>
            <${Level} level=${eventLevel(event)}>${told(event)}<//>
          </button>
          <span class="ago">${span(state.now - event.at)} ago</span>
          ${event.reason && html`<p class="reason">${event.reason}</p>`}
        </li>`)}
    </ol>
    ${shown.length < events.length && html`<p><button onClick=${() => setAll(true)}>Show all ${events.length}</button></p>`}
  `;
}

function NodeDetails({ state, node, choose }) {
  const { level, text } = nodeHealth(state, node);
  const { refused, turned_away: turnedAway } = node.connections;
  return html`
    <${Close} choose=${choose} />
    <h2>${node.name}</h2>
    <p><${Level} level=${level}>${text}<//></p>
    ${node.error && html`<p class="reason">${node.error}</p>`}
    <${Facts} facts=${[
      ['Running for', node.started !== undefined && span(state.now - node.started)],
      ['No link for', node.away_since !== undefined && span(state.now - node.away_since)],
      ['Version', node.version && `kozo ${node.version}`],
      ['File', node.file && html`<code>${node.file}</code>${node.other_file ? ' (another version)' : ''}`],
      ['Orders refused', node.orders_refused > 0 && number(node.orders_refused)],
      ['Connections refused', refused + turnedAway > 0 && number(refused + turnedAway)],
      ['Log lines dropped', node.log.dropped > 0 && number(node.log.dropped)],
    ].filter(([, value]) => value !== false)} />
    <${NodeLinks} state=${state} node=${node} choose=${choose} />
    ${node.roles.length > 0 && html`<h3>Roles</h3><ul class="rows">${node.roles.map((role) => html`<${RoleRow} key=${role.name} role=${role} />`)}</ul>`}
    ${node.transports.length > 0 && html`<h3>Transports</h3><ul class="rows">${node.transports.map((transport) => html`
      <li key=${transport.name}><strong>${transport.name}</strong> <span class="quiet">${transport.module}</span>
        <${Level} level=${transport.state === 'failing' ? 'bad' : transport.state === 'starting' ? 'busy' : 'good'}>${transport.state.replace('-', ' ')}<//>
        ${transport.status && html`<p class="reason">${transport.status}</p>`}
        ${transport.error && html`<p class="reason">${transport.error}</p>`}
      </li>`)}</ul>`}
    ${node.buses.length > 0 && html`<h3>Buses</h3><ul class="rows">${node.buses.map((bus) => html`<${BusRow} key=${bus.name} bus=${bus} />`)}</ul>`}
  `;
}

const BUS_LEVELS = { up: 'good', connecting: 'busy', down: 'bad' };

/** A bus: all nodes that it carries messages to, without a link with any of them. */
function BusRow({ bus }) {
  const waiting = bus.queued.messages + bus.unconfirmed.messages;
  const dropped = bus.dropped_by_limit + bus.dropped_by_age;
  const over = [bus.server, bus.round_trip_seconds != null && trip(bus.round_trip_seconds)].filter(Boolean).join(', ');
  return html`
    <li>
      <strong>${bus.name}</strong> <span class="quiet">${bus.module}</span>
      <${Level} level=${BUS_LEVELS[bus.state] ?? 'idle'}>${bus.state}<//>
      ${bus.state === 'up' && over && html`<span class="quiet"> ${over}</span>`}
      ${bus.status && html`<p class="reason">${bus.status}</p>`}
      ${bus.state !== 'up' && bus.error && html`<p class="reason">${bus.error}</p>`}
      <p class="numbers">
        <span>${count(bus.nodes_heard, 'node')} heard</span>
        <span>${number(bus.sent)} sent</span>
        <span>${number(bus.received)} received</span>
        ${waiting > 0 && html`<span>${number(waiting)} waiting</span>`}
        ${bus.repaired > 0 && html`<span>${number(bus.repaired)} repaired</span>`}
        ${bus.missed > 0 && html`<span class="level warn">▲ ${number(bus.missed)} missed</span>`}
        ${dropped > 0 && html`<span class="level warn">▲ ${number(dropped)} dropped (${number(bus.dropped_by_limit)} by limit, ${number(bus.dropped_by_age)} by age)</span>`}
      </p>
      ${bus.refused.map(({ text, count: times }) => html`<p class="reason">Refused ${number(times)}×: ${text}</p>`)}
      ${bus.denied.map(({ subject, reason }) => html`<p class="reason">The engine refuses <code>${subject}</code>: ${reason}</p>`)}
    </li>
  `;
}

const ROLE_LEVELS = { running: 'good', starting: 'busy', waiting: 'bad', stopping: 'busy', stopped: 'idle' };

function RoleRow({ role }) {
  const { inbox } = role;
  const dropped = inbox.dropped_by_limit + inbox.dropped_by_age + inbox.dropped_by_stop;
  return html`
    <li>
      <strong>${role.name}</strong> <span class="quiet">${role.module}</span>
      <${Level} level=${ROLE_LEVELS[role.state] ?? 'idle'}>${role.state === 'waiting' ? 'failed, is made anew' : role.state}<//>
      ${role.faces.length > 0 && html`<p class="quiet">${role.faces.map((face) => `${face.name} (${face.class ?? face.kind})`).join(', ')}</p>`}
      ${role.status && html`<p class="reason">${role.status}</p>`}
      <p class="numbers">
        <span>Inbox ${number(inbox.waiting)} of ${number(inbox.length_limit)}</span>
        <span>${number(inbox.received)} received</span>
        ${dropped > 0 && html`<span class="level warn">▲ ${number(dropped)} dropped (${inbox.dropped_by_limit} by limit, ${inbox.dropped_by_age} by age, ${inbox.dropped_by_stop} by stops)</span>`}
        ${role.restarts > 0 && html`<span>made anew ${role.restarts}×</span>`}
        ${role.lines_left_out > 0 && html`<span>${number(role.lines_left_out)} log lines left out</span>`}
      </p>
      ${role.last_error && html`<p class="reason">Last error: ${role.last_error}</p>`}
    </li>
  `;
}

function NodeLinks({ state, node, choose }) {
  const links = linksOf(state, node.name).filter((link) => link.state !== 'never');
  if (!links.length) return html`<p class="quiet">No links are planned with this node.</p>`;
  return html`
    <h3>Links</h3>
    <ul class="rows">${links.map((link) => {
      const { level, text } = health(link, state.now);
      const other = otherEnd(link, node.name);
      return html`<li key=${other}>
        <button class="plain" onClick=${() => choose({ link: [link.a, link.b] })}>${other}</button> <${Level} level=${level}>${text}<//>
        ${link.state === 'up' && html`<span class="quiet"> ${link.transport}${link.round_trip !== undefined ? `, ${trip(link.round_trip)}` : ''}</span>`}
      </li>`;
    })}</ul>
  `;
}

function LinkDetails({ state, link, choose }) {
  const { level, text } = health(link, state.now);
  const waiting = queued(link);
  const gone = lost(link);
  return html`
    <${Close} choose=${choose} />
    <h2><button class="plain" onClick=${() => choose({ node: link.a })}>${link.a}</button> – <button class="plain" onClick=${() => choose({ node: link.b })}>${link.b}</button></h2>
    <p><${Level} level=${level}>${text}<//>${link.since !== undefined && html`<span class="quiet"> for ${span(state.now - link.since)}</span>`}</p>
    <${Facts} facts=${[
      ['Transport', link.transport],
      ['Address', link.address && html`<code>${link.address}</code>`],
      ['Dialled by', link.dialled_by],
      ['Round trip', link.round_trip !== undefined ? trip(link.round_trip) : null],
      ['Cipher', link.cipher],
      ['Waiting', waiting > 0 ? count(waiting, 'message') : null],
      ['Lost', gone > 0 ? `${count(gone, 'message')}${link.lost_at !== undefined ? `, the last ${span(state.now - link.lost_at)} ago` : ''}` : null],
    ]} />
    <${Way} from=${link.a} to=${link.b} sender=${link.from_a} receiver=${link.from_b} />
    <${Way} from=${link.b} to=${link.a} sender=${link.from_b} receiver=${link.from_a} />
    <${Why} state=${state} link=${link} />
  `;
}

/** What goes one way: as its sender counts it, or else as the other end does. */
function Way({ from, to, sender, receiver }) {
  if (!sender && !receiver) return null;
  const facts = sender
    ? [
        ['Sent', `${count(sender.sent, 'message')}, ${bytes(sender.bytes_sent)}`],
        ['Sent again', sender.sent_again > 0 ? number(sender.sent_again) : null],
        ['Queued', `${count(sender.queued.messages, 'message')}, ${bytes(sender.queued.bytes)}`],
        ['In flight', sender.in_flight.messages > 0 ? count(sender.in_flight.messages, 'message') : null],
        ['Dropped', sender.dropped_by_limit + sender.dropped_by_age > 0
          ? `${number(sender.dropped_by_limit)} by the queue's limits, ${number(sender.dropped_by_age)} by age` : null],
      ]
    : [
        ['Arrived', `${count(receiver.received, 'message')}, ${bytes(receiver.bytes_received)}`],
        ['Missed', receiver.missed > 0 ? number(receiver.missed) : null],
      ];
  return html`<h3>${from} → ${to}</h3><${Facts} facts=${facts} />`;
}

/** The sentences of `kozo why`, from each end that tells them. */
function Why({ state, link }) {
  const own = state.node === link.b ? link.b : link.a;
  const [from, setFrom] = useState(own);
  const [answer, setAnswer] = useState(null);
  const peer = otherEnd(link, from);
  useEffect(() => {
    let wanted = true;
    const words = new URLSearchParams({ node: from, peer });
    ask(`api/why?${words}`).then(
      (said) => wanted && setAnswer({ lines: said.lines }),
      (error) => wanted && setAnswer({ error: error.message }),
    );
    return () => { wanted = false; };
  }, [from, peer, link.state, link.since]);
  return html`
    <h3>Why</h3>
    <p class="choice" role="group" aria-label="Which end is asked">
      ${[link.a, link.b].map((name) => html`<button key=${name} aria-pressed=${from === name} onClick=${() => { setAnswer(null); setFrom(name); }}>${name} says</button>`)}
    </p>
    ${!answer && html`<p class="quiet">Asking…</p>`}
    ${answer?.error && html`<${Trouble}>${answer.error}<//>`}
    ${answer?.lines && html`<div class="why">${answer.lines.map((line, index) =>
      line === '' ? html`<hr key=${index} />` : html`<p key=${index} class=${line.startsWith('  ') ? 'event' : ''}>${line.trim()}</p>`)}</div>`}
  `;
}
