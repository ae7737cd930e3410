// What the page costs and how fast it is: node figures.mjs [SECONDS]

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

async function large(browser) {
  const nodes = {};
  for (let hub = 0; hub < 6; hub += 1) nodes[`hub-${hub}`] = {};
  // Links with the six alone: 279.
  for (let leaf = 0; leaf < 44; leaf += 1) nodes[`leaf-${leaf}`] = { options: { othersToSelfConnectPolicy: 'never' } };
  nodes['hub-0'].roles = { sink: { type: 'bench-sink' } };
  nodes['hub-1'].roles = { source: { type: 'bench-source', interval: 0.001 } };
  const network = await Network.make(nodes, { options: { heartbeat: 10 } });
  try {
    network.start();
    await network.served();
    const { page, complaints } = await open(browser, network.url);
    await until('all links are up', async () => await page.locator('[data-state="up"]').count() >= 250);
    say('50 nodes: links up on the map', await page.locator('[data-state="up"]').count());
    await page.evaluate(() => localStorage.clear());
    const tab = await open(browser, network.url);
    await tab.page.addInitScript(() => {
      globalThis.longest = 0;
      new PerformanceObserver((list) => list.getEntries().forEach((entry) => { globalThis.longest = Math.max(globalThis.longest, entry.duration); })).observe({ type: 'longtask', buffered: true });
    });
    await tab.page.reload();
    await tab.page.locator('[data-node]').nth(49).waitFor();
    say('50 nodes: drawn after', `${Math.round(await tab.page.evaluate(() => performance.now()))} ms`);
    await pause(3000);
    say('50 nodes: longest task of the browser', `${Math.round(await tab.page.evaluate(() => globalThis.longest))} ms`);
    await tab.page.goto(`${network.url}#messages`);
    const { pid } = network.daemons.get('hub-0');
    await pause(5000);
    const before = memory(pid);
    const status = () => fetch(`${network.url}api/role?role=sink`).then((answer) => answer.json());
    const start = await status();
    await pause(seconds * 1000);
    const end = await status();
    const received = end.role.inbox.received - start.role.inbox.received;
    say(`messages a second for ${seconds} s`, Math.round(received / seconds));
    say('messages of roles dropped', end.role.inbox.dropped_by_limit + end.role.inbox.dropped_by_age);
    say('memory before and after', `${mib(before)}, ${mib(memory(pid))}`);
    say('longest task of the browser meanwhile', `${Math.round(await tab.page.evaluate(() => globalThis.longest))} ms`);
    const click = performance.now();
    await tab.page.getByRole('button', { name: 'Pause' }).click();
    await tab.page.getByRole('button', { name: 'Go on' }).waitFor();
    say('a click meanwhile', `${Math.round(performance.now() - click)} ms`);
    say('complaints of the browser', [...complaints, ...tab.complaints].length);
  } finally {
    await network.end();
  }
}

const browser = await launch();
await small(browser);
await large(browser);
await browser.close();
