// The page: which view is shown, and what all views share.

import { html, render, useCallback, useEffect, useState } from './vendor/preact-htm.js';
import { ask, follow, post } from './connection.js';
import { Details } from './details.js';
import { Login } from './login.js';
import { Lists } from './lists.js';
import { NetworkMap } from './map.js';
import { Logs, Messages } from './messages.js';
import { Modules } from './modules.js';
import { Empty, Level, Trouble, kept } from './parts.js';
import { Plots } from './plots.js';
import { Send } from './send.js';
import { count, nothing, summary } from './state.js';

const VIEWS = [
  ['network', 'Network'],
  ['messages', 'Messages'],
  ['logs', 'Logs'],
  ['time', 'Over time'],
  ['modules', 'Modules'],
  ['send', 'Send'],
];

/** A part of the address; empty where nobody could have meant it. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

/** What the address says: a view, and what is chosen in it. */
function place() {
  const [view = '', kind, one, other] = location.hash.slice(1).split('/').map(decoded);
  const chosen = kind === 'node' && one ? { node: one } : kind === 'link' && one && other ? { link: [one, other] } : null;
  return { view: VIEWS.some(([name]) => name === view) ? view : 'network', chosen };
}

const address = (view, chosen) => {
  const parts = [view];
  if (chosen?.node) parts.push('node', chosen.node);
  if (chosen?.link) parts.push('link', ...chosen.link);
  return `#${parts.map(encodeURIComponent).join('/')}`;
};

const THEMES = ['system', 'light', 'dark'];

function useTheme() {
  const [theme, setTheme] = useState(() => kept.read('kozo-theme') ?? 'system');
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    kept.write('kozo-theme', theme);
    document.dispatchEvent(new Event('kozo-theme'));
  }, [theme]);
  return [theme, () => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length])];
}

function App() {
  const [state, setState] = useState(nothing);
  const [connection, setConnection] = useState('first');
  const [at, setAt] = useState(place);
  const [theme, nextTheme] = useTheme();
  const [session, setSession] = useState(null);
  const look = useCallback(() => ask('api/session').then(setSession, () => {
    setConnection('lost');
    setTimeout(look, 1000);
  }), []);
  useEffect(() => { look(); }, []);
  const isIn = Boolean(session?.open) && connection !== 'login';
  const isOut = session !== null && !isIn;
  useEffect(() => (isIn ? follow(setState, setConnection) : undefined), [isIn]);
  const enter = () => { setConnection('first'); look(); };
  const leave = () => post('api/logout', {}).then(() => { setState(nothing()); setSession({ ...session, open: false }); }, look);
  useEffect(() => {
    const moved = () => setAt(place());
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  useEffect(() => { document.title = state.node ? `${state.node} – Kōzō` : 'Kōzō'; }, [state.node]);
  const choose = useCallback((chosen) => { location.hash = address('network', chosen); }, []);
  const isKnown = state.nodes.size > 0;
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById('main').focus(); }}>To the content</a>
    <header>
      <div class="brand"><img src="icon.svg" alt="" width="28" height="28" /><h1>Kōzō <span class="quiet">${state.node}</span></h1></div>
      ${!isOut && html`<nav aria-label="Views">${VIEWS.filter(([name]) => name !== 'send' || session?.send).map(([name, title]) => html`
        <a key=${name} href=${address(name, null)} aria-current=${at.view === name ? 'page' : undefined}>${title}</a>`)}</nav>`}
      <div class="status">${!isOut && html`<${Summary} state=${state} connection=${connection} />`}
        ${session?.needed && !isOut && html`<button onClick=${leave}>Log out</button>`}
        <button class="theme" onClick=${nextTheme} aria-label=${`Colours: ${theme}. Change them`} title=${`Colours: ${theme}`}>${{ system: '◐', light: '☀', dark: '☾' }[theme]}</button></div>
    </header>
    <main id="main" tabindex="-1">
      ${isOut && html`<${Login} entered=${enter} />`}
      ${!isOut && connection === 'lost' && html`<${Trouble}>The node does not answer. What is shown is as it was; it is tried again every second.<//>`}
      ${state.trouble && html`<${Trouble}>This node cannot be asked: ${state.trouble}<//>`}
      ${!isOut && !isKnown && connection !== 'lost' && html`<${Empty} title="Asking the node…" />`}
      ${!isOut && isKnown && at.view === 'network' && html`<div class="network">
        <section class="card the-map" aria-label="Network"><${NetworkMap} key=${state.node} state=${state} chosen=${at.chosen} choose=${choose} /></section>
        <${Details} state=${state} chosen=${at.chosen} choose=${choose} />
        <div class="lists"><${Lists} state=${state} choose=${choose} /></div>
      </div>`}
      ${!isOut && at.view === 'messages' && html`<${Messages} state=${state} setConnection=${setConnection} />`}
      ${!isOut && at.view === 'logs' && html`<${Logs} state=${state} setConnection=${setConnection} />`}
      ${!isOut && at.view === 'time' && html`<${Plots} state=${state} choose=${choose} setConnection=${setConnection} />`}
      ${!isOut && at.view === 'send' && html`<${Send} state=${state} />`}
      ${!isOut && at.view === 'modules' && html`<${Modules} state=${state} setConnection=${setConnection} />`}
    </main>
  `;
}

/** The whole network at a glance. */
function Summary({ state, connection }) {
  const { nodes, up, down, warned } = summary(state);
  return html`
    <p role="status" class="summary">
      <span>${count(nodes, 'node')}</span>
      <${Level} level=${up ? 'good' : 'idle'}>${count(up, 'link')} up<//>
      ${down > 0 && html`<${Level} level="bad">${down} down<//>`}
      ${warned > 0 && html`<${Level} level="warn">${warned} to look at<//>`}
      <span class=${`live ${connection}`}>${{ live: 'live', lost: 'no answer', first: 'connecting', login: 'logged out' }[connection]}</span>
    </p>
  `;
}

const page = document.getElementById('page');
page.textContent = '';
render(html`<${App} />`, page);
