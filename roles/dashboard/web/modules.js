// What is installed, with its options, and what the network's file makes of it.

import { html, useEffect, useMemo, useState } from './vendor/preact-htm.js';
import { ask } from './connection.js';
import { Empty, Facts, Level, Trouble } from './parts.js';

export function Modules({ state, setConnection }) {
  const [modules, setModules] = useState(null);
  const [trouble, setTrouble] = useState(null);
  const [wanted, setWanted] = useState('');
  const [open, setOpen] = useState(null);
  useEffect(() => {
    ask('api/modules').then(setModules, (error) => {
      setTrouble(error.message);
      if (error.status === 401) setConnection('login');
    });
  }, []);
  const shown = useMemo(() => (modules ?? []).filter((module) =>
    `${module.name} ${module.description}`.toLowerCase().includes(wanted.toLowerCase())), [modules, wanted]);
  const own = state.nodes.get(state.node);
  return html`
    <section class="card">
      <h2>Modules on ${state.node || 'this node'}</h2>
      <div class="tools"><label class="find"><span class="unseen">Find a module</span>
        <input type="search" placeholder="Find a module" value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label></div>
      ${trouble && html`<${Trouble}>${trouble}<//>`}
      ${!modules && !trouble && html`<p class="quiet">Asking…</p>`}
      ${modules && shown.length === 0 && html`<${Empty} title="No module is called like that">Search for something else.<//>`}
      <ul class="modules">${shown.map((module) => {
        const key = `${module.kind}/${module.name}/${module.path}`;
        const uses = module.kind === 'role'
          ? (own?.roles ?? []).filter((role) => role.module === module.name)
          : (own?.transports ?? []).filter((transport) => transport.module === module.name);
        return html`<li key=${key}>
          <button class="plain head" aria-expanded=${open === key} onClick=${() => setOpen(open === key ? null : key)}>
            <strong>${module.name}</strong> <span class="quiet">${module.kind} ${module.version}</span>
            ${uses.length > 0 && html`<span class="tag">in use</span>`}
            ${module.state !== 'usable' && html`<${Level} level="warn">${module.state}<//>`}
          </button>
          <p>${module.description}</p>
          ${open === key && html`<${Module} module=${module} uses=${uses} />`}
        </li>`;
      })}</ul>
    </section>
  `;
}

function Module({ module, uses }) {
  return html`
    <div class="module">
      ${module.reason && html`<p class="reason">${module.reason}</p>`}
      <${Facts} facts=${[['Author', module.author], ['File', html`<code>${module.path}</code>`], ['Interface', module.abi], ['Checksum', module.sealed ? 'yes' : 'none']]} />
      ${module.options.length > 0 && html`<div class="scroll"><table aria-label=${`Options of ${module.name}`}>
        <thead><tr><th>Option</th><th>Type</th><th>Default</th><th>What it is for</th></tr></thead>
        <tbody>${module.options.map((option) => html`<tr key=${option.name}>
          <th scope="row"><code>${option.name}</code></th>
          <td>${option.type}${range(option)}</td>
          <td>${option.required ? 'required' : option.default === null ? '–' : html`<code>${JSON.stringify(option.default)}</code>`}${!option.required && option.default !== null && option.unit ? ` ${option.unit}` : ''}</td>
          <td>${option.description}${option.choices.length > 0 && html` One of ${option.choices.map((choice) => html`<code key=${choice}>${choice}</code> `)}`}</td>
        </tr>`)}</tbody></table></div>`}
      ${module.options.length === 0 && html`<p class="quiet">It has no options.</p>`}
      ${uses.length > 0 && module.kind === 'role' && uses.map((role) => html`<${Use} key=${role.name} role=${role} />`)}
      ${uses.length > 0 && module.kind === 'transport' && html`<p>Used as ${uses.map((transport) => html`<strong key=${transport.name}>${transport.name}</strong> `)}.</p>`}
    </div>
  `;
}

const range = (option) => {
  const { minimum, maximum, unit } = option;
  if (minimum === null && maximum === null) return unit ? `, in ${unit}` : '';
  const ends = minimum !== null && maximum !== null ? `${minimum} to ${maximum}` : minimum !== null ? `from ${minimum}` : `to ${maximum}`;
  return `, ${ends}${unit ? ` ${unit}` : ''}`;
};

/** What the file makes of a role of this module. */
function Use({ role }) {
  const [answer, setAnswer] = useState(null);
  useEffect(() => {
    ask(`api/role?${new URLSearchParams({ role: role.name })}`).then(
      (details) => setAnswer({ details }),
      (error) => setAnswer({ error: error.message }),
    );
  }, [role.name]);
  const options = Object.entries(answer?.details?.options ?? {});
  return html`
    <h3>The role ${role.name}</h3>
    ${answer?.details?.description && html`<p>${answer.details.description}</p>`}
    ${answer?.error && html`<p class="reason">What the file sets is not shown: ${answer.error}</p>`}
    ${options.length > 0 && html`<${Facts} facts=${options.map(([name, value]) => [name, html`<code>${JSON.stringify(value)}</code>`])} />`}
    ${role.faces.length > 0 && html`<p>For people and other systems it is ${role.faces.map((face) => `${face.name} (${face.class ?? face.kind})`).join(', ')}.</p>`}
  `;
}
