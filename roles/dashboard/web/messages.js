// Messages as they pass this node, and lines for the log of the network.

import { html, useEffect, useMemo, useRef, useState } from './vendor/preact-htm.js';
import { listen } from './connection.js';
import { MAX_HELD, dataText, exported, has, hear, query } from './filter.js';
import { clock, number, short } from './format.js';
import { Empty, Trouble } from './parts.js';
import { count } from './state.js';

/** How many messages are drawn. */
const MAX_DRAWN = 200;

/** How often new ones are drawn, in milliseconds. */
const DRAW_PERIOD = 250;

/** How long a filter is left alone until it is used, in milliseconds. */
const TYPING = 300;

/** How much of data is shown on one line, in characters. */
const PREVIEW = 160;

const everything = () => ({ kinds: { event: true, order: true, log: true }, type: '', channel: '', role: '', node: '' });

/** What a stream has told, drawn now and then. */
function useStream(path, filter, isPaused, setConnection) {
  const held = useRef({ messages: [], leftOut: 0, last: null });
  const [shown, setShown] = useState(held.current);
  const [used, setUsed] = useState(filter);
  const [trouble, setTrouble] = useState(null);
  useEffect(() => {
    const timer = setTimeout(() => setUsed(filter), TYPING);
    return () => clearTimeout(timer);
  }, [filter]);
  useEffect(() => {
    // With another filter, what was let through before is read once more.
    held.current = { messages: [], leftOut: 0, last: null };
    setShown(held.current);
  }, [path, used]);
  useEffect(() => {
    if (isPaused) return undefined;
    const close = listen(
      () => `${path}${query(used, held.current.last)}`,
      'messages',
      (told) => {
        held.current = hear(held.current, told);
      },
      (state) => state === 'login' && setConnection('login'),
      setTrouble,
    );
    const timer = setInterval(() => setShown(held.current), DRAW_PERIOD);
    return () => {
      clearInterval(timer);
      close();
      setShown(held.current);
    };
  }, [path, used, isPaused]);
  const clear = () => {
    held.current = { ...held.current, messages: [], leftOut: 0 };
    setShown(held.current);
  };
  return { ...shown, clear, trouble };
}

function save(messages, name) {
  const url = URL.createObjectURL(new Blob([exported(messages)], { type: 'application/x-ndjson' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

const Field = ({ name, value, set, list }) => html`
  <label class="field"><span>${name}</span>
    <input value=${value} list=${list && `known-${name}`} placeholder="any" autocomplete="off" spellcheck="false" onInput=${(event) => set(event.target.value)} />
    ${list && html`<datalist id=${`known-${name}`}>${list.map((item) => html`<option key=${item} value=${item} />`)}</datalist>`}
  </label>
`;

const Tools = ({ paused, setPaused, stream, shown, name }) => html`<span class="choice">
  <button onClick=${() => setPaused(!paused)} aria-pressed=${paused}>${paused ? 'Go on' : 'Pause'}</button>
  <button onClick=${stream.clear} disabled=${!stream.messages.length}>Clear</button>
  <button onClick=${() => save(shown, name)} disabled=${!shown.length} title="As lines of JSON">Export</button>
</span>`;

const Told = ({ stream, shown }) => html`
  <p class="quiet told">
    ${number(shown.length)} of the last ${number(stream.messages.length)} messages
    ${stream.messages.length >= MAX_HELD && ` (no more than ${number(MAX_HELD)} are held)`}
    ${stream.leftOut > 0 && html`<span class="level warn"> ▲ ${number(stream.leftOut)} left out: too many pass to show them all</span>`}
  </p>
`;

export function Messages({ state, setConnection }) {
  const [filter, setFilter] = useState(everything);
  const [text, setText] = useState('');
  const [paused, setPaused] = useState(false);
  const [open, setOpen] = useState(null);
  const stream = useStream('api/messages', filter, paused, setConnection);
  const shown = useMemo(() => stream.messages.filter((message) => has(message, text)), [stream.messages, text]);
  const set = (word) => (value) => setFilter({ ...filter, [word]: value });
  const kind = (name) => (event) => setFilter({ ...filter, kinds: { ...filter.kinds, [name]: event.target.checked } });
  const nodes = [...state.nodes.keys()];
  const roles = [...new Set([...state.nodes.values()].flatMap((node) => node.roles.map((role) => role.name)))];
  return html`
    <section class="card">
      <h2>Messages</h2>
      <p class="quiet">What passes ${state.node || 'this node'}: what its roles send and get. Patterns may have a <code>*</code>.</p>
      <div class="tools filters">
        <fieldset><legend>Kind</legend>${['event', 'order', 'log'].map((name) => html`
          <label class="check" key=${name}><input type="checkbox" checked=${filter.kinds[name]} onChange=${kind(name)} /> ${name}</label>`)}</fieldset>
        <${Field} name="type" value=${filter.type} set=${set('type')} />
        <${Field} name="channel" value=${filter.channel} set=${set('channel')} />
        <${Field} name="role" value=${filter.role} set=${set('role')} list=${roles} />
        <${Field} name="node" value=${filter.node} set=${set('node')} list=${nodes} />
        <label class="field"><span>search</span><input type="search" value=${text} onInput=${(event) => setText(event.target.value)} placeholder="in all of it" /></label>
        <span class="spread"></span>
        <${Tools} paused=${paused} setPaused=${setPaused} stream=${stream} shown=${shown} name="messages" />
      </div>
      <${Told} stream=${stream} shown=${shown} />
      ${stream.trouble && html`<${Trouble}>No messages are shown: ${stream.trouble}<//>`}
      ${shown.length === 0 && !stream.trouble && html`<${Empty} title=${stream.messages.length ? 'Nothing of it has that text' : 'No message has passed yet'}>
        ${stream.messages.length ? 'Search for something else.' : 'Messages are shown as soon as they pass, if the filters let them through.'}<//>`}
      ${shown.length > 0 && html`<div class="scroll"><table class="messages" aria-label="Messages, the newest first">
        <thead><tr><th>Time</th><th>Kind</th><th>From</th><th>Type</th><th>Channel</th><th>Data</th></tr></thead>
        <tbody>${shown.slice(-MAX_DRAWN).reverse().map((message) => html`
          <${Row} key=${message.number} message=${message} isOpen=${open === message.number}
            toggle=${() => setOpen(open === message.number ? null : message.number)} />`)}</tbody>
      </table></div>`}
    </section>
  `;
}

function Row({ message, isOpen, toggle }) {
  const line = message.data_left_out ? `${number(message.data_bytes)} bytes, too long to be shown` : dataText(message);
  return html`
    <tr class=${isOpen ? 'open' : ''}>
      <td class="time">${clock(message.timestamp)}</td>
      <td><span class=${`kind ${message.kind}`}>${message.kind}</span></td>
      <td class="from">${message.role}<span class="quiet">@${message.node}</span></td>
      <td>${message.type}</td>
      <td>${message.channel ?? ''}</td>
      <td class="data"><button class="plain" aria-expanded=${isOpen} onClick=${toggle}>${short(line, PREVIEW) || '–'}</button></td>
    </tr>
    ${isOpen && html`<tr class="more"><td colspan="6">
      <pre tabindex="0">${message.data_left_out ? line : JSON.stringify(message.data, null, 2)}</pre>
      <p class="quiet">Went to ${count(message.roles, 'role')} here and to ${count(message.nodes, 'other node')}${message.buses?.length ? `, over the bus ${message.buses.join(', ')}` : ''}; ${count(message.data_bytes, 'byte')}; ${(message.age_seconds * 1000).toFixed(1)} ms old when it passed.</p>
    </td></tr>`}
  `;
}

export function Logs({ state, setConnection }) {
  const [filter, setFilter] = useState(everything);
  const [text, setText] = useState('');
  const [paused, setPaused] = useState(false);
  const stream = useStream('api/logs', filter, paused, setConnection);
  const shown = useMemo(() => stream.messages.filter((message) => has(message, text)), [stream.messages, text]);
  const set = (word) => (value) => setFilter({ ...filter, [word]: value });
  return html`
    <section class="card">
      <h2>Logs</h2>
      <p class="quiet">Lines that roles anywhere in the network have sent for its log, since this page's role started.</p>
      <div class="tools filters">
        <label class="field wide"><span>search</span><input type="search" value=${text} onInput=${(event) => setText(event.target.value)} placeholder="text, role or node" /></label>
        <${Field} name="role" value=${filter.role} set=${set('role')} />
        <${Field} name="node" value=${filter.node} set=${set('node')} list=${[...state.nodes.keys()]} />
        <span class="spread"></span>
        <${Tools} paused=${paused} setPaused=${setPaused} stream=${stream} shown=${shown} name="logs" />
      </div>
      <${Told} stream=${stream} shown=${shown} />
      ${shown.length === 0 && html`<${Empty} title=${stream.messages.length ? 'No line has that text' : 'No line yet'}>
        Roles send them with <code>send_log</code>; the daemon's own log is where the daemon writes it.<//>`}
      <ol class="lines">${shown.slice(-MAX_DRAWN).reverse().map((message) => html`
        <li key=${message.number}><span class="time">${clock(message.timestamp)}</span>
          <span class="from">${message.role}<span class="quiet">@${message.node}</span></span>
          <span class="text">${dataText(message)}</span></li>`)}</ol>
    </section>
  `;
}
