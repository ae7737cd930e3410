// What the page costs and how fast it is: node figures.mjs [SECONDS]; KOZO_FIGURES=small,flood: only those

import { readFileSync } from 'node:fs';
import { launch, open } from './browser.mjs';
import { Network, until } from './network.mjs';

const seconds = Number(process.argv[2] ?? 60);
const say = (what, value) => console.log(`${what.padEnd(64)} ${value}`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];

/** The memory of a process, in MiB. */
function memory(pid) {
  const kib = readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1];
  return Number(kib) / 1024;
}

const linkIs = (page, pair, state) => page.locator(`[data-link="${pair}"][data-state="${state}"]`).waitFor({ state: 'attached' });
const mib = (value) => `${value.toFixed(1)} MiB`;

async function small(browser) {
  const nodes = { hub: { roles: { clock: { type: 'timer', tick: 1 } } }, cottage: { roles: { cuckoo: { timer: 'clock' } } } };
  const plain = await Network.make(nodes, { dashboard: null });
  plain.start();
  await pause(8000);
  const without = memory(plain.daemons.get('hub').pid);
  await plain.end();

  const network = await Network.make(nodes);
  try {
    network.start();
    await network.served();
    await pause(8000);
    const { pid } = network.daemons.get('hub');
    const idle = memory(pid);
    const drawn = [];
    for (let visit = 0; visit < 7; visit += 1) {
      const { page, close } = await open(browser, network.url);
      await page.locator('[data-node]').first().waitFor();
      drawn.push(await page.evaluate(() => performance.now()));
      await close();
    }
    const { page } = await open(browser, network.url);
    await linkIs(page, 'cottage/hub', 'up');
    await pause(8000);
    say('memory over the daemon without the role, no browser', mib(idle - without));
    say('memory over the daemon without the role, with a browser', mib(memory(pid) - without));
    say('first drawn, median of 7', `${Math.round(median(drawn))} ms`);
    const falls = [];
    for (let fall = 0; fall < 7; fall += 1) {
      await linkIs(page, 'cottage/hub', 'up');
      await pause(1500 + Math.random() * 1000);
      const start = performance.now();
      network.daemons.get('cottage').kill('SIGKILL');
      await linkIs(page, 'cottage/hub', 'down');
      falls.push(performance.now() - start);
      await network.stop('cottage');
      network.start(['cottage']);
    }
    say('a link\'s fall shown, median and longest of 7', `${Math.round(median(falls))} ms, ${Math.round(Math.max(...falls))} ms`);
  } finally {
    await network.end();
  }
}

/** What a node would tell of a large network. */
function largeState() {
  const names = Array.from({ length: 50 }, (_, index) => `node-${String(index).padStart(2, '0')}`);
  const side = { state: 'up', queued: { messages: 0, bytes: 0 }, in_flight: { messages: 0, bytes: 0 }, links_made: 1, sent: 1, sent_again: 0, received: 1, repeated: 0, missed: 0, dropped_by_limit: 0, dropped_by_age: 0, bytes_sent: 1, bytes_received: 1 };
  const nodes = names.map((name, index) => ({ name, state: index ? 'answers' : 'here', started: 0, version: '0.1.0', file: '', other_file: false, roles: [], transports: [], buses: [], orders_refused: 0, connections: { unproven: 0, turned_away: 0, refused: 0 }, log: { dropped: 0, summed_up: 0 } }));
  const links = [];
  for (let step = 1; step <= 6; step += 1) {
    for (let index = 0; index < 50; index += 1) {
      const [a, b] = [names[index], names[(index + step * 4 - 1) % 50]].sort();
      links.push({ a, b, state: 'up', since: 0, wanted: true, transport: ['tcp', 'bluetooth', 'onion'][step % 3], address: '192.0.2.1:6020', round_trip: index, from_a: side, from_b: side });
    }
  }
  return { version: 1, whole: true, now: 1, node: names[0], nodes, links, events: [], trouble: null };
}

/** A large network, as a node would tell of it. */
async function large(browser) {
  const network = await Network.make({ hub: {} });
  try {
    network.start();
    await network.served();
    const { page, close } = await open(browser, network.url);
    const took = [];
    for (let visit = 0; visit < 5; visit += 1) {
      await page.evaluate(() => localStorage.clear());
      await page.route('**/api/live', (route) => route.fulfill({ contentType: 'text/event-stream', body: `event: state\ndata: ${JSON.stringify(largeState())}\n\n` }));
      await page.addInitScript(() => {
        const Source = globalThis.EventSource;
        globalThis.EventSource = class extends Source {
          addEventListener(name, heard) {
            super.addEventListener(name, (event) => {
              const start = performance.now();
              heard(event);
              // Drawn: all of it is there, and the browser has painted.
              const look = () => (document.querySelectorAll('[data-link]').length >= 300
                ? requestAnimationFrame(() => { globalThis.took ??= performance.now() - start; })
                : requestAnimationFrame(look));
              look();
            });
          }
        };
      });
      await page.reload();
      await page.waitForFunction(() => globalThis.took);
      took.push(await page.evaluate(() => globalThis.took));
    }
    say('50 nodes with 300 links, from the news of them to the picture', `${Math.round(median(took))} ms`);
    await close();
  } finally {
    await network.end();
  }
}

/** A thousand messages a second, seen by a browser. */
async function flood(browser) {
  const network = await Network.make({
    hub: { roles: { sink: { type: 'bench-sink' } } },
    far: { roles: { source: { type: 'bench-source', interval: 0.001 } } },
  });
  try {
    network.start();
    await network.served();
    const { page, complaints } = await open(browser, network.url);
    await linkIs(page, 'far/hub', 'up');
    await page.goto(`${network.url}#messages`);
    const { pid } = network.daemons.get('hub');
    await pause(5000);
    const status = () => fetch(`${network.url}api/role?role=sink`).then((answer) => answer.json());
    const [start, before] = [await status(), memory(pid)];
    await pause(seconds * 1000);
    const [end, after] = [await status(), memory(pid)];
    const received = end.role.inbox.received - start.role.inbox.received;
    say(`messages a second for ${seconds} s`, Math.round(received / seconds));
    say('messages of roles dropped', end.role.inbox.dropped_by_limit + end.role.inbox.dropped_by_age);
    say('memory before and after', `${mib(before)}, ${mib(after)}`);
    const click = performance.now();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Go on' }).waitFor();
    say('a click meanwhile', `${Math.round(performance.now() - click)} ms`);
    say('complaints of the browser', complaints.length);
  } finally {
    await network.end();
  }
}

const browser = await launch();
const all = { small, large, flood };
for (const name of process.env.KOZO_FIGURES?.split(',') ?? Object.keys(all)) await all[name](browser);
await browser.close();
