// Sending an event or an order, by hand.

import { html, useEffect, useState } from './vendor/preact-htm.js';
import { ask, post } from './connection.js';
import { Trouble } from './parts.js';

/** What roles of this node want to hear of, as far as a form can be made of it. */
function wishes(role, interests) {
  const found = [];
  for (const { kind, type, channel } of interests) {
    if (kind !== 'event' && kind !== 'order') continue;
    for (const name of type ?? []) {
      for (const on of channel ?? [null]) {
        if (!`${name}${on ?? ''}`.includes('*')) found.push({ role, kind, type: name, channel: on ?? '' });
      }
    }
  }
  return found;
}

export function Send({ state }) {
  const [known, setKnown] = useState([]);
  const [message, setMessage] = useState({ kind: 'order', type: '', channel: '', data: '' });
  const [said, setSaid] = useState(null);
  const roles = state.nodes.get(state.node)?.roles.map((role) => role.name) ?? [];
  useEffect(() => {
    let wanted = true;
    Promise.all(roles.map((role) => ask(`api/role?${new URLSearchParams({ role })}`).then(
      (details) => wishes(role, details.interests), () => []))).then((all) => wanted && setKnown(all.flat()));
    return () => { wanted = false; };
  }, [roles.join()]);
  const set = (word) => (event) => setMessage({ ...message, [word]: event.target.value });
  const submit = (event) => {
    event.preventDefault();
    let data = null;
    try {
      data = message.data.trim() === '' ? null : JSON.parse(message.data);
    } catch {
      setSaid({ error: 'The data is no JSON: texts stand in double quotes, as in {"on": true} or "hello".' });
      return;
    }
    const { kind, type, channel } = message;
    post('api/send', { kind, type, channel: channel || null, data }).then(
      () => setSaid({ done: `Sent: ${kind} ${type}${channel ? ` on ${channel}` : ''}` }),
      (error) => setSaid({ error: error.message }),
    );
  };
  return html`
    <form class="card form" onSubmit=${submit}>
      <h2>Send</h2>
      <p class="quiet">It is sent by the role of this page on ${state.node}. Whom a role takes orders from is in its <code>acceptOrdersFrom</code>.</p>
      ${known.length > 0 && html`<label>What roles of this node wait for
        <select onChange=${(event) => { const wish = known[event.target.value]; if (wish) setMessage({ ...message, kind: wish.kind, type: wish.type, channel: wish.channel }); }}>
          <option value="">choose one, or fill in the rest by hand</option>
          ${known.map((wish, index) => html`<option key=${index} value=${index}>${wish.role}: ${wish.kind} ${wish.type}${wish.channel ? ` on ${wish.channel}` : ''}</option>`)}
        </select></label>`}
      <label>Kind <select onChange=${set('kind')}>${['order', 'event'].map((kind) => html`
        <option key=${kind} value=${kind} selected=${message.kind === kind}>${kind}</option>`)}</select></label>
      <label>Type <input required value=${message.type} onInput=${set('type')} autocomplete="off" spellcheck="false" /></label>
      <label>Channel <input value=${message.channel} onInput=${set('channel')} placeholder="none" autocomplete="off" spellcheck="false" /></label>
      <label>Data, as JSON <textarea value=${message.data} onInput=${set('data')} placeholder="null" spellcheck="false"></textarea></label>
      ${said?.error && html`<${Trouble}>${said.error}<//>`}
      <p role="status">${said?.done ?? ''}</p>
      <button class="main">Send</button>
    </form>
  `;
}
