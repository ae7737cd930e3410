// Debian's Chromium, with what pages complain of and what they ask for.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';

/** Where the packages of npm are that the tests need. */
const require = createRequire(resolve(process.env.KOZO_PAGE_PACKAGES ?? '.', '_'));

/** What checks that a page can be used by everybody. */
export const axe = () => require.resolve('axe-core/axe.min.js');

/** Starts the browser. */
export function launch() {
  const { chromium } = require('playwright-core');
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** A page of its own, at one address. `complaints` has what it should not do. */
export async function open(browser, url, { width = 1280, height = 800, dark = false, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', ...more });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    const asked = request.url();
    if (!asked.startsWith(url) && !asked.startsWith('data:') && !asked.startsWith('blob:')) complaints.push(`it asked for ${asked}`);
  });
  await page.goto(url);
  return { page, complaints, close: () => context.close() };
}
