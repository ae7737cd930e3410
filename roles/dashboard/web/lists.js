// Nodes and links as tables: what the map shows, for those who read rather than look.

import { html, useState } from './vendor/preact-htm.js';
import { Empty, Level } from './parts.js';
import { number, span, trip } from './format.js';
import { health, linksOf, lost, nodeHealth, queued } from './state.js';

const ORDER = { bad: 0, warn: 1, busy: 2, good: 3, idle: 4 };

export function Lists({ state, choose }) {
  const [all, setAll] = useState(false);
  const nodes = [...state.nodes.values()].map((node) => ({ node, ...nodeHealth(state, node) }));
  nodes.sort((one, other) => ORDER[one.level] - ORDER[other.level] || one.node.name.localeCompare(other.node.name));
  const links = [...state.links.values()].map((link) => ({ link, ...health(link, state.now) }));
  links.sort((one, other) => ORDER[one.level] - ORDER[other.level]
    || one.link.a.localeCompare(other.link.a) || one.link.b.localeCompare(other.link.b));
  const planned = links.filter(({ link }) => link.state !== 'never');
  // Fifty nodes have more than a thousand links: those that want to be looked at come first.
  const shown = all ? planned : planned.slice(0, 60);
  return html`
    <section class="card">
      <h2 id="nodes">Nodes</h2>
      <div class="scroll"><table class="stack" aria-labelledby="nodes">
        <thead><tr><th>Node</th><th>State</th><th class="right">Links up</th><th class="right">Roles</th><th>Running for</th></tr></thead>
        <tbody>${nodes.map(({ node, level, text }) => {
          const own = linksOf(state, node.name);
          return html`<tr key=${node.name}>
            <th scope="row"><button class="plain name" onClick=${() => choose({ node: node.name })}>${node.name}</button></th>
            <td><${Level} level=${level}>${text}<//></td>
            <td class="right" data-label="links up">${own.filter((link) => link.state === 'up').length}</td>
            <td class=${node.roles.length ? 'right' : 'right none'} data-label="roles">${node.roles.length || '–'}</td>
            <td class=${node.started !== undefined ? '' : 'none'} data-label="running for">${node.started !== undefined ? span(state.now - node.started) : '–'}</td>
          </tr>`;
        })}</tbody>
      </table></div>
    </section>
    <section class="card">
      <h2 id="links">Links</h2>
      ${planned.length === 0 && html`<${Empty} title="No links are planned">The policies of the network's file allow none.<//>`}
      ${planned.length > 0 && html`<div class="scroll"><table class="stack" aria-labelledby="links">
        <thead><tr><th>Between</th><th>State</th><th>Over</th><th class="right">Round trip</th><th class="right">Waiting</th><th class="right">Lost</th></tr></thead>
        <tbody>${shown.map(({ link, level, text }) => html`<tr key=${`${link.a}/${link.b}`} data-row=${`${link.a}/${link.b}`}>
            <th scope="row"><button class="plain name" onClick=${() => choose({ link: [link.a, link.b] })}>${link.a} – ${link.b}</button></th>
            <td><${Level} level=${level}>${text}<//></td>
            <td class=${link.transport ? '' : 'none'} data-label="over">${link.transport ?? '–'}</td>
            <td class=${link.round_trip !== undefined ? 'right' : 'right none'} data-label="round trip">${link.round_trip !== undefined ? trip(link.round_trip) : '–'}</td>
            <td class=${queued(link) ? 'right' : 'right none'} data-label="waiting">${number(queued(link))}</td>
            <td class=${lost(link) ? 'right' : 'right none'} data-label="lost">${number(lost(link))}</td>
          </tr>`)}</tbody>
      </table></div>
      ${shown.length < planned.length && html`<p><button onClick=${() => setAll(true)}>Show all ${planned.length} links</button></p>`}`}
    </section>
  `;
}
