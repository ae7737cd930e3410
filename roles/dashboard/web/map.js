// The map: nodes and links as a picture that one can use with the mouse, fingers and the keyboard.

import { html, useEffect, useMemo, useRef, useState } from './vendor/preact-htm.js';
import { HEIGHT, WIDTH, place, readPlaces } from './layout.js';
import { kept } from './parts.js';
import { short, trip } from './format.js';
import { count, health, isTrouble, nodeHealth, transports } from './state.js';

/** Up to how many nodes every link is labelled. */
const LABELLED = 8;

/** Where on its link a label is, as a part of the way. */
const ALONG = 0.37;

/** How much of a name is shown below a node, in characters. */
const LABEL = 22;

/** Where nodes are, as this browser has kept it. */
function usePlaces(state, links) {
  const names = useMemo(() => [...state.nodes.keys()], [state.nodes]);
  const key = `kozo-map:${state.node}`;
  const [places, setPlaces] = useState(() => readPlaces(kept.read(key)));
  const keep = (now) => kept.write(key, JSON.stringify({ ...readPlaces(kept.read(key)), ...now }));
  const missing = names.some((name) => !places[name]);
  useEffect(() => {
    if (!missing) return;
    const placed = place(names, links, only(places, names), state.node);
    keep(placed);
    setPlaces({ ...places, ...placed });
  }, [missing, names]);
  const move = (name, to) => setPlaces((before) => ({ ...before, [name]: to }));
  const anew = () => {
    const placed = place(names, links, {}, state.node);
    kept.write(key, JSON.stringify(placed));
    setPlaces(placed);
  };
  return { places: missing ? {} : places, move, keep, anew };
}

const only = (places, names) => Object.fromEntries(names.filter((name) => places[name]).map((name) => [name, places[name]]));

export function NetworkMap({ state, chosen, choose }) {
  const links = useMemo(() => [...state.links.values()].filter((link) => link.state !== 'never'), [state.links]);
  const { places, move, keep, anew } = usePlaces(state, links);
  const [view, setView] = useState({ x: 0, y: 0, scale: 1 });
  const [wanted, setWanted] = useState('');
  const [trouble, setTrouble] = useState(false);
  const [folded, setFolded] = useState(new Set());
  const svg = useRef(null);
  const grip = useRef(null);

  const fold = (name) => setFolded((before) => new Set(before).add(name));
  const unfold = (name) => setFolded((before) => new Set([...before].filter((other) => other !== name)));
  const isFound = (name) => wanted && name.toLowerCase().includes(wanted.toLowerCase());
  const shown = links.filter((link) => !folded.has(link.a) && !folded.has(link.b));
  const kinds = transports(state);

  // Where a pointer is, in the map's own measure.
  const at = (event) => {
    const box = svg.current.getBoundingClientRect();
    const size = Math.min(box.width / WIDTH, box.height / HEIGHT);
    return { x: event.clientX / size / view.scale, y: event.clientY / size / view.scale };
  };
  const down = (event, name) => {
    if (event.button) return;
    grip.current = { name, from: at(event), start: name ? places[name] : { x: view.x, y: view.y }, moved: false };
    svg.current.setPointerCapture(event.pointerId);
    event.stopPropagation();
  };
  const moved = (event) => {
    const held = grip.current;
    if (!held) return;
    const to = at(event);
    const [dx, dy] = [to.x - held.from.x, to.y - held.from.y];
    if (!held.moved && Math.hypot(dx, dy) * view.scale < 6) return;
    held.moved = true;
    if (held.name) move(held.name, { x: Math.round(held.start.x + dx), y: Math.round(held.start.y + dy) });
    else setView({ ...view, x: held.start.x - dx, y: held.start.y - dy });
  };
  const up = () => {
    const held = grip.current;
    grip.current = null;
    if (!held) return;
    if (held.moved && held.name) keep({ [held.name]: places[held.name] });
    if (!held.moved && held.name) choose({ node: held.name });
    if (!held.moved && !held.name) choose(null);
  };
  const zoom = (factor) => setView((before) => {
    const scale = Math.min(4, Math.max(0.5, before.scale * factor));
    // What is in the middle stays there.
    const middle = { x: before.x + WIDTH / before.scale / 2, y: before.y + HEIGHT / before.scale / 2 };
    return { x: middle.x - WIDTH / scale / 2, y: middle.y - HEIGHT / scale / 2, scale };
  });
  const keys = (event, name) => {
    const step = { ArrowLeft: [-20, 0], ArrowRight: [20, 0], ArrowUp: [0, -20], ArrowDown: [0, 20] }[event.key];
    if (event.key === 'Enter' || event.key === ' ') choose({ node: name });
    else if (step && event.shiftKey) {
      const to = { x: places[name].x + step[0], y: places[name].y + step[1] };
      move(name, to);
      keep({ [name]: to });
    } else return;
    event.preventDefault();
  };

  const isChosen = (link) => chosen?.link && chosen.link[0] === link.a && chosen.link[1] === link.b;
  const touches = (link) => chosen?.node === link.a || chosen?.node === link.b;
  const dimmed = (link) => trouble && !isTrouble(health(link, state.now));
  const names = [...state.nodes.values()].filter((node) => places[node.name] && !folded.has(node.name));
  const box = `${view.x} ${view.y} ${WIDTH / view.scale} ${HEIGHT / view.scale}`;
  const labelled = shown.filter((link) => places[link.a] && places[link.b]
    && (state.nodes.size <= LABELLED || isChosen(link) || touches(link)) && link.state === 'up');

  return html`
    <div class="map">
      <div class="tools">
        <label class="find"><span class="unseen">Find a node</span>
          <input type="search" placeholder="Find a node" value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label>
        <label class="check"><input type="checkbox" checked=${trouble} onChange=${(event) => setTrouble(event.target.checked)} /> Only trouble</label>
        <span class="spread"></span>
        ${chosen?.node && html`<button onClick=${() => fold(chosen.node)}>Fold ${short(chosen.node, 14)}</button>`}
        <button onClick=${() => zoom(1.3)} aria-label="Larger">+</button>
        <button onClick=${() => zoom(1 / 1.3)} aria-label="Smaller">−</button>
        <button onClick=${() => setView({ x: 0, y: 0, scale: 1 })}>Fit</button>
        <button onClick=${anew} title="Forget where nodes were dragged to">Lay out anew</button>
      </div>
      <svg ref=${svg} viewBox=${box} role="group" aria-label="Map of the network" class=${grip.current ? 'held' : ''}
        onPointerDown=${(event) => down(event, null)} onPointerMove=${moved} onPointerUp=${up} onPointerCancel=${() => { grip.current = null; }}
        onWheel=${(event) => { if (event.ctrlKey) { event.preventDefault(); zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15); } }}>
        ${shown.filter((link) => places[link.a] && places[link.b]).map((link) => {
          const { level, text } = health(link, state.now);
          const [from, to] = [places[link.a], places[link.b]];
          const style = `link ${level} way${kinds.indexOf(link.transport) % 6}`
            + (isChosen(link) ? ' chosen' : '') + (dimmed(link) ? ' dim' : '')
            + (chosen?.node && !touches(link) ? ' aside' : '');
          return html`<g key=${`${link.a}/${link.b}`} class=${style} data-link=${`${link.a}/${link.b}`} data-state=${link.state}
              onPointerDown=${(event) => { event.stopPropagation(); }}
              onClick=${() => choose({ link: [link.a, link.b] })}>
            <title>${link.a} – ${link.b}: ${text}${link.transport ? `, ${link.transport}` : ''}${link.round_trip ? `, ${trip(link.round_trip)}` : ''}</title>
            <line class="touch" x1=${from.x} y1=${from.y} x2=${to.x} y2=${to.y} />
            <line class="line" x1=${from.x} y1=${from.y} x2=${to.x} y2=${to.y} />
            ${(level === 'bad' || level === 'warn') && html`<${Mark} level=${level} x=${(from.x + to.x) / 2} y=${(from.y + to.y) / 2} />`}
          </g>`;
        })}
        ${labelled.map((link) => {
          const [from, to] = [places[link.a], places[link.b]];
          // Not in the middle, where lines cross.
          const [x, y] = [from.x + (to.x - from.x) * ALONG, from.y + (to.y - from.y) * ALONG];
          return html`<text key=${`label ${link.a}/${link.b}`} class="link-label" x=${x} y=${y + 5}>
            ${[link.transport && short(link.transport, 14), link.round_trip !== undefined && trip(link.round_trip)].filter(Boolean).join(' · ')}</text>`;
        })}
        ${names.map((node) => {
          const { x, y } = places[node.name];
          const { level, text } = nodeHealth(state, node);
          const style = `node ${level}${node.name === state.node ? ' own' : ''}${chosen?.node === node.name ? ' chosen' : ''}`
            + (wanted && !isFound(node.name) ? ' dim' : '') + (isFound(node.name) ? ' found' : '')
            + (trouble && level !== 'bad' && level !== 'warn' ? ' dim' : '');
          return html`<g key=${node.name} class=${style} data-place=${node.name} transform=${`translate(${x} ${y})`}
              onPointerDown=${(event) => down(event, node.name)}>
            <title>${node.name}: ${text}</title>
            <g data-node=${node.name} tabindex="0" role="button" aria-pressed=${chosen?.node === node.name}
                aria-label=${`Node ${node.name}: ${text}, ${count(node.roles.length, 'role')}`} onKeyDown=${(event) => keys(event, node.name)}>
              <circle class="ring" r="24" /><circle class="dot" r="17" />
              <${Glyph} level=${level} />
            </g>
            <text class="name" y="44" aria-hidden="true">${short(node.name, LABEL)}</text>
          </g>`;
        })}
      </svg>
      ${folded.size > 0 && html`<p class="folded">Folded: ${[...folded].map((name) => html`
        <button key=${name} onClick=${() => unfold(name)} aria-label=${`Show ${name} again`}>${short(name, 24)} ✕</button>`)}</p>`}
      <p class="legend">
        ${kinds.map((kind, index) => html`<span key=${kind}><i class=${`swatch way${index % 6}`}></i>${short(kind, 18)}</span>`)}
        <span><i class="swatch idle"></i>on demand</span><span><i class="swatch bad"></i>down ✕</span><span><i class="swatch warn"></i>slow or losing ▲</span>
      </p>
    </div>
  `;
}

/** A mark in the middle of a link that wants to be looked at. */
const Mark = ({ level, x, y }) => html`
  <g class="mark" transform=${`translate(${x} ${y})`}>
    <circle r="11" />
    ${level === 'bad' ? html`<path d="M-4 -4 4 4M4 -4-4 4" />` : html`<path d="M0-5V1M0 4V5" />`}
  </g>
`;

/** What stands in a node: a shape for each state. */
function Glyph({ level }) {
  const paths = {
    good: 'M-6 0-2 5 7-5',
    warn: 'M0-7V2M0 6V7',
    bad: 'M-5-5 5 5M5-5-5 5',
    busy: 'M-6 0H-5M0 0H1M6 0H7',
    idle: 'M-6 0H6',
  };
  return html`<path class="glyph" d=${paths[level]} />`;
}
