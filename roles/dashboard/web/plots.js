// How things were over the last hour and day.

import { html, useEffect, useRef, useState } from './vendor/preact-htm.js';
import { ask } from './connection.js';
import { Changes } from './details.js';
import { Empty, Trouble, load } from './parts.js';
import { clock, short } from './format.js';

/** How often what is drawn is asked for again, in milliseconds. */
const PERIOD = 5000;

/** How many round trips are drawn at once. */
const MAX_TRIPS = 8;

const COLOURS = ['--way0', '--way1', '--way2', '--way3', '--way4', '--way5', '--good', '--warn'];

export function Plots({ state, choose, setConnection }) {
  const [range, setRange] = useState('hour');
  const [told, setTold] = useState(null);
  const [trouble, setTrouble] = useState(null);
  const [isReady, setReady] = useState(Boolean(globalThis.uPlot));
  useEffect(() => { load('vendor/uplot.js').then(() => setReady(true), (error) => setTrouble(error.message)); }, []);
  useEffect(() => {
    let wanted = true;
    const fetchAll = () => !document.hidden && ask(`api/history?span=${range}`).then(
      (answer) => { if (wanted) { setTold({ ...answer, range, at: Date.now() / 1000 }); setTrouble(null); } },
      (error) => { if (wanted) { setTrouble(error.message); if (error.status === 401) setConnection('login'); } },
    );
    fetchAll();
    const timer = setInterval(fetchAll, PERIOD);
    return () => { wanted = false; clearInterval(timer); };
  }, [range]);
  const plots = told?.range === range ? told.plots : null;
  const length = plots?.received.length ?? 0;
  // Samples are on the clock of the node's page, and are shown on that of this browser.
  const zero = told ? told.at - told.now : 0;
  const times = plots ? plots.received.map((_, index) => zero + plots.last - (length - 1 - index) * plots.step) : [];
  const from = times[0] ?? 0;
  const marks = state.events.filter((event) => event.what === 'link-up' || event.what === 'link-down')
    .map((event) => ({ at: zero + event.at, isBad: event.what === 'link-down' })).filter((mark) => mark.at >= from);
  const trips = plots ? Object.entries(plots.round_trips).slice(0, MAX_TRIPS) : [];
  const inRange = state.events.filter((event) => zero + event.at >= from);
  return html`
    <div class="tools">
      <h2>Over time, as ${state.node || 'this node'} saw it</h2><span class="spread"></span>
      <span class="choice" role="group" aria-label="Which span of time">
        <button aria-pressed=${range === 'hour'} onClick=${() => setRange('hour')}>Last hour</button>
        <button aria-pressed=${range === 'day'} onClick=${() => setRange('day')}>Last day</button>
      </span>
    </div>
    ${trouble && html`<${Trouble}>${trouble}<//>`}
    ${plots && length < 2 && html`<div class="card"><${Empty} title="Nothing is measured yet">
      ${range === 'hour' ? 'The first values come after ten seconds.' : 'The first mean values come after four minutes.'}<//></div>`}
    ${isReady && length >= 2 && html`<div class="plots">
      <${Plot} title="Messages a second" unit="/s" times=${times} marks=${marks} lines=${[['received', plots.received], ['sent', plots.sent]]} />
      <${Plot} title="Dropped messages a second" unit="/s" times=${times} marks=${marks} lines=${[['dropped', plots.dropped]]} colours=${['--bad']} />
      ${trips.length > 0 && html`<${Plot} key=${trips.map(([peer]) => peer).join()} title="Round trips; a gap is a time without a link" unit=" ms" times=${times} marks=${marks} lines=${trips} />`}
      <${Plot} title="Memory of the daemon" unit=" MiB" times=${times} marks=${marks} lines=${[['memory', plots.memory]]} colours=${['--way3']} />
    </div>`}
    <section class="card"><${Changes} state=${state} events=${inRange} choose=${choose} title="What changed in that time" /></section>
  `;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** What a line says besides its picture. */
const words = (values, unit) => {
  const known = values.filter((value) => value !== null);
  if (!known.length) return 'nothing measured';
  const [least, most] = [Math.min(...known), Math.max(...known)].map((value) => value.toFixed(1));
  return `${known.at(-1).toFixed(1)}${unit} at last, from ${least} to ${most}`;
};

function Plot({ title, unit, times, lines, marks, colours = COLOURS }) {
  const place = useRef(null);
  const drawn = useRef(null);
  const shown = useRef(marks);
  const [at, setAt] = useState(null);
  // What the pointer is at, or else the last.
  const index = at !== null && at < times.length ? at : times.length - 1;
  const value = (values) => (values[index] === null || values[index] === undefined ? '–' : `${values[index].toFixed(1)}${unit}`);
  shown.current = marks;
  useEffect(() => {
    const axis = { stroke: () => colour('--quiet'), grid: { stroke: () => colour('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui' };
    const plot = new uPlot({
      width: Math.max(200, place.current.clientWidth),
      height: 190,
      cursor: { drag: { x: false, y: false } },
      legend: { show: false },
      series: [
        {},
        ...lines.map(([name], index) => ({
          label: short(name, 24),
          stroke: () => colour(colours[index % colours.length]),
          width: 1.75,
          dash: index >= 4 ? [6, 4] : undefined,
          points: { show: false },
        })),
      ],
      axes: [
        { ...axis, size: 28, space: 70, incrs: [5, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14400, 21600], values: (_, ticks, __, ___, step) => ticks.map((at) => (step < 60 ? clock(at) : clock(at).slice(0, 5))) },
        { ...axis, size: 58, values: (_, ticks) => ticks.map((value) => `${value}${unit}`) },
      ],
      scales: { y: { range: (_, least, most) => [Math.min(0, least ?? 0), Math.max(most ?? 1, 0.1) * 1.1] } },
      hooks: {
        setCursor: [(self) => setAt(self.cursor.idx ?? null)],
        draw: [(self) => {
          const { ctx, bbox } = self;
          ctx.save();
          ctx.lineWidth = 1.5 * devicePixelRatio;
          for (const mark of shown.current) {
            const x = self.valToPos(mark.at, 'x', true);
            if (x < bbox.left || x > bbox.left + bbox.width) continue;
            ctx.strokeStyle = colour(mark.isBad ? '--bad' : '--good');
            ctx.setLineDash(mark.isBad ? [] : [4, 4]);
            ctx.beginPath();
            ctx.moveTo(x, bbox.top);
            ctx.lineTo(x, bbox.top + bbox.height);
            ctx.stroke();
          }
          ctx.restore();
        }],
      },
    }, [times, ...lines.map(([, values]) => values)], place.current);
    drawn.current = plot;
    const resized = new ResizeObserver(() => plot.setSize({ width: Math.max(200, place.current.clientWidth), height: 190 }));
    resized.observe(place.current);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const again = () => plot.redraw(false);
    dark.addEventListener('change', again);
    document.addEventListener('kozo-theme', again);
    return () => {
      resized.disconnect();
      dark.removeEventListener('change', again);
      document.removeEventListener('kozo-theme', again);
      plot.destroy();
    };
  }, []);
  useEffect(() => { drawn.current?.setData([times, ...lines.map(([, values]) => values)]); }, [times.at(-1), times.length, marks.length]);
  return html`
    <figure class="card plot">
      <figcaption>${title} <span class="quiet time">${at === null ? '' : clock(times[index])}</span></figcaption>
      <p class="legend" aria-hidden="true">${lines.map(([name, values], line) => html`
        <span key=${name}><i class="swatch" style=${{ '--colour': `var(${colours[line % colours.length]})`, 'border-top-style': line >= 4 ? 'dashed' : 'solid' }}></i>${short(name, 24)} <strong>${value(values)}</strong></span>`)}</p>
      <p class="unseen">${lines.map(([name, values]) => `${name}: ${words(values, unit)}`).join('. ')}</p>
      <div ref=${place} aria-hidden="true"></div>
    </figure>
  `;
}
