// The page in a real browser, before real daemons. `make test-dashboard` runs this.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { axe, launch, open } from './browser.mjs';
import { Network, until } from './network.mjs';

/** The longest name that a node may have. */
const LONG = 'Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbe';

/** What a peer might send to see whether anything of it is run. */
const HOSTILE = '<img src=x onerror="document.title=\'taken\'"><script>document.title="taken"</script>\u202e\u0007';

let network;
let browser;

before(async () => {
  const face = { name: '居間の時計 <b>Wohnzimmeruhrengehäusebeleuchtungssteuerung</b>' };
  network = await Network.make({
    hub: { roles: { clock: { type: 'timer', tick: 0.5, face }, logger: { file: '/dev/null' } } },
    cottage: { roles: { cuckoo: { timer: 'clock' } } },
    shed: { options: { selfToOthersConnectPolicy: 'ondemand', othersToSelfConnectPolicy: 'ondemand' } },
    [LONG]: {},
  }, { dashboard: { send: true } });
  network.start();
  await network.served();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  const said = await network?.end();
  if (process.env.KOZO_TEST_LOG) console.log(said);
});

/** A page that has drawn the network. */
async function drawn(options, at = '') {
  const tab = await open(browser, network.url, options);
  if (at) await tab.page.goto(network.url + at);
  await tab.page.locator('header').waitFor();
  return tab;
}

const linkIs = (page, pair, state) => page.locator(`[data-link="${pair}"][data-state="${state}"]`).waitFor({ state: 'attached' });

/** Whether anything reaches over the right edge. */
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test('the map shows a link go down and come back, and what changed', async () => {
  const { page, complaints, close } = await drawn();
  await linkIs(page, 'cottage/hub', 'up');
  await linkIs(page, 'hub/shed', 'on-demand');
  const place = await page.locator('[data-place="hub"]').getAttribute('transform');
  await network.stop('cottage');
  await linkIs(page, 'cottage/hub', 'down');
  await page.getByText('Link down: cottage – hub').first().waitFor();
  assert.match(await page.locator('.summary').innerText(), /down/);
  network.start(['cottage']);
  await linkIs(page, 'cottage/hub', 'up');
  await page.getByText('Link up: cottage – hub').first().waitFor();
  assert.equal(await page.locator('[data-place="hub"]').getAttribute('transform'), place);
  assert.deepEqual(complaints, []);
  await close();
});

test('a node that was dragged is where it was on the next visit', async () => {
  const { page, complaints, close } = await drawn();
  const hub = page.locator('[data-node="hub"]');
  const place = page.locator('[data-place="hub"]');
  await hub.waitFor();
  await hub.focus();
  await page.keyboard.press('Shift+ArrowRight');
  const moved = await place.getAttribute('transform');
  const box = await hub.locator('.dot').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + 120, box.y + 60, { steps: 4 });
  await page.mouse.up();
  const dragged = await place.getAttribute('transform');
  assert.notEqual(dragged, moved);
  await page.reload();
  await hub.waitFor();
  assert.equal(await place.getAttribute('transform'), dragged);
  await page.getByRole('button', { name: 'Lay out anew' }).click();
  await until('it is laid out anew', async () => await place.getAttribute('transform') !== dragged);
  assert.deepEqual(complaints, []);
  await close();
});

test('details tell of roles, inboxes and why there is a link, with the keyboard alone', async () => {
  const { page, complaints, close } = await drawn();
  await page.locator('[data-node="hub"]').focus();
  await page.keyboard.press('Enter');
  const details = page.getByRole('complementary', { name: 'Details' });
  await details.getByText('clock', { exact: true }).waitFor();
  await details.getByText(/居間の時計 <b>Wohnzimmeruhren/).waitFor();
  await details.getByRole('button', { name: 'cottage' }).click();
  await details.getByText(/There is a link between hub and cottage: over/).waitFor();
  await page.getByLabel('Find a node').fill('shed');
  await page.locator('[data-place="shed"].found').waitFor();
  await page.goto(`${network.url}#network/node/shed`);
  await page.getByRole('button', { name: 'Fold shed' }).click();
  await page.getByRole('button', { name: 'Show shed again' }).click();
  await page.locator('[data-node="shed"]').waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test('messages appear, a filter lets some through, and hostile ones are only text', async () => {
  const { page, complaints, close } = await drawn({}, '#messages');
  await page.locator('.messages .kind.event').first().waitFor();
  await page.getByLabel('type', { exact: true }).fill('hos*');
  await page.getByText('No message has passed yet').waitFor();
  await until('the message is shown', async () => {
    network.send('hub', 'event', 'hostile', JSON.stringify({ text: HOSTILE }));
    return page.getByText('hostile').count();
  });
  assert.equal(await page.locator('.messages tbody tr', { hasText: 'tick' }).count(), 0);
  await page.locator('.messages .data button').first().click();
  await page.locator('.messages pre', { hasText: '<script>' }).waitFor();
  assert.notEqual(await page.title(), 'taken');
  assert.equal(await page.locator('main img, main script').count(), 0);
  await page.getByRole('button', { name: 'Pause' }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export' }).click()]);
  const lines = readFileSync(await download.path(), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(lines[0].type, 'hostile');
  assert.equal(lines[0].data.text, HOSTILE);
  await page.goto(`${network.url}#logs`);
  await page.locator('.lines li', { hasText: 'Ping!' }).first().waitFor();
  await page.getByLabel('search').fill('no such line');
  await page.getByText('No line has that text').waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test('plots, modules and the form for sending are there', async () => {
  const { page, complaints, close } = await drawn({}, '#time');
  await page.locator('.plot canvas').first().waitFor({ timeout: 60_000 });
  await page.goto(`${network.url}#modules`);
  await page.getByRole('button', { name: /^timer role/ }).click();
  await page.getByRole('heading', { name: 'The role clock' }).waitFor();
  await page.locator('.module').getByText('0.5').first().waitFor();
  await page.goto(`${network.url}#send`);
  await page.getByLabel('Type').fill('greeting');
  await page.getByLabel('Data, as JSON').fill('{"to": ');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText('The data is no JSON').waitFor();
  await page.getByLabel('Data, as JSON').fill('{"to": "all"}');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText('Sent: order greeting').waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test('it fits a phone, in light and dark, and everybody can use it', async () => {
  for (const look of [{}, { dark: true }, { width: 390, height: 844 }, { width: 390, height: 844, dark: true }]) {
    const { page, complaints, close } = await drawn({ ...look, bypassCSP: true });
    for (const at of ['#network', `#network/node/${LONG}`, `#network/link/${LONG}/hub`, '#messages', '#logs', '#time', '#modules', '#send']) {
      await page.goto(network.url + at);
      await page.locator('main > *').first().waitFor();
      if (at.startsWith('#network')) await page.locator('[data-node]').first().waitFor();
      if (at === '#messages') await page.locator('.messages td').first().waitFor();
      assert.ok(await overflow(page) <= 0, `${at} ${JSON.stringify(look)}`);
      await page.addScriptTag({ path: axe() });
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      const told = serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`);
      assert.deepEqual(told, [], `${at} ${JSON.stringify(look)}`);
    }
    // What is told by one address after another is the page's own.
    assert.deepEqual(complaints.filter((complaint) => !complaint.includes('asked for')), []);
    await close();
  }
});

/** What a server says to these bytes; nothing where it closes. */
const said = (bytes, { end = true } = {}) => new Promise((resolve) => {
  let text = '';
  const socket = connect(network.port, '127.0.0.1', () => (end ? socket.end(bytes) : socket.write(bytes)));
  socket.on('data', (data) => {
    text += data;
    if (!end && text.includes('\r\n\r\n')) socket.destroy();
  });
  socket.on('error', () => {});
  socket.on('close', () => resolve(text));
});

test('no page elsewhere reads or sends anything, whatever name it has', async () => {
  const ask = (lines, body = '') => said(`${lines.join('\r\n')}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`, { end: false });
  const host = `Host: 127.0.0.1:${network.port}`;
  const json = 'Content-Type: application/json';
  const order = '{"kind":"order","type":"open"}';
  assert.match(await ask(['GET / HTTP/1.1', 'Host: evil.example']), /^HTTP\/1.1 421/);
  assert.match(await ask(['GET /api/live HTTP/1.1', host, 'Sec-Fetch-Site: cross-site']), /^HTTP\/1.1 403/);
  assert.match(await ask(['POST /api/send HTTP/1.1', host, json, 'Origin: http://evil.example'], order), /^HTTP\/1.1 403/);
  assert.match(await ask(['POST /api/send HTTP/1.1', host, 'Content-Type: text/plain'], order), /^HTTP\/1.1 415/);
  assert.match(await ask(['POST /api/send HTTP/1.1', host, json, `Origin: http://127.0.0.1:${network.port}`], order), /^HTTP\/1.1 200/);
  const page = await ask(['GET / HTTP/1.1', host]);
  assert.match(page, /content-security-policy: default-src 'none'; script-src 'self'/);
  assert.match(page, /etag: "/);
});

test('garbage, large requests, slow ones and a thousand connections keep nobody from the page', async () => {
  const host = `Host: 127.0.0.1:${network.port}`;
  assert.match(await said('\x16\x03\x01\x02\x00nonsense\r\n\r\n'), /^(HTTP\/1.1 400|$)/);
  assert.match(await said(`GET / HTTP/1.1\r\n${host}\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`), /^(HTTP\/1.1 431|$)/);
  const large = `POST /api/send HTTP/1.1\r\n${host}\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n`;
  assert.match(await said(large, { end: false }), /^HTTP\/1.1 413/);
  const sockets = Array.from({ length: 1000 }, () => {
    const socket = connect(network.port, '127.0.0.1', () => socket.write('GET / HT'));
    socket.on('error', () => {});
    return socket;
  });
  const { page, complaints, close } = await drawn();
  await linkIs(page, 'cottage/hub', 'up');
  assert.deepEqual(complaints, []);
  await close();
  for (const socket of sockets) socket.destroy();
});
