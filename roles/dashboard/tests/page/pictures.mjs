// Pictures of the page for the README: node pictures.mjs FOLDER

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, open } from './browser.mjs';
import { Network, until } from './network.mjs';

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });

const onDemand = { options: { selfToOthersConnectPolicy: 'ondemand', othersToSelfConnectPolicy: 'ondemand' } };
const network = await Network.make({
  hub: { roles: { clock: { type: 'timer', tick: 1 }, logger: { file: '/dev/null' } } },
  cottage: { roles: { cuckoo: { timer: 'clock' } } },
  scribe: { roles: { minutes: { type: 'timer', tick: 4 } } },
  workshop: { roles: { bench: { type: 'timer', tick: 3 } } },
  attic: {},
  shed: onDemand,
});
const browser = await launch();
try {
  network.start();
  await network.served();
  // Only what is told in the pictures is in them, so all links are there before.
  const first = await open(browser, network.url);
  await until('all links are up', async () => await first.page.locator('[data-state="up"]').count() >= 10);
  // What starts takes its time, and is not how it is afterwards; a busy machine is taken as it is.
  const atRest = async () => !/[0-9]{3} ms/.test(await first.page.locator('.map svg').textContent());
  await until('the machine is at rest', atRest).catch(() => {});
  await first.close();
  const take = async (name, at, ready, options) => {
    const { page, close } = await open(browser, network.url, options);
    await page.goto(network.url + at);
    await ready(page);
    await page.screenshot({ path: join(folder, `${name}.png`) });
    await close();
  };
  const size = { width: 1200, height: 740 };
  await network.stop('attic');
  const down = (page) => page.locator('[data-state="down"]').nth(3).waitFor({ state: 'attached' });
  await take('map', '#network', down, size);
  await take('dark', '#network/link/cottage/hub', async (page) => {
    await down(page);
    await page.getByText(/^There is a link/).waitFor();
  }, { ...size, dark: true });
  await take('messages', '#messages', async (page) => {
    await page.locator('.messages tbody tr').nth(11).waitFor();
    await page.locator('.messages tr', { hasText: 'tick' }).first().getByRole('button').click();
  }, size);
  await take('phone', '#network', down, { width: 390, height: 844, deviceScaleFactor: 1.5 });
} finally {
  await browser.close();
  console.log(await network.end());
}
