// Pictures of each view of a running dashboard: for README and docs, and to be looked at.
// shots.mjs URL TOKEN DIRECTORY [SINCE] [EXE] [VIEW,…]
import { existsSync, mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [url, token, directory, since = '7d', exe = '', only = ''] = process.argv.slice(2);
if (!url || !token || !directory) {
  console.error('usage: shots.mjs URL TOKEN DIRECTORY [SINCE] [EXE] [VIEW,…]');
  process.exit(2);
}
mkdirSync(directory, { recursive: true });
const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const views = { now: '/', history: `/history?since=${since}`, map: `/map?since=${since}`, flow: `/flow?since=${since}`, events: `/events?since=${since}`, system: '/system' };
if (exe) views.program = `/program?since=${since}&exe=${encodeURIComponent(exe)}`;
for (const [width, height, colorScheme] of [[1440, 900, 'light'], [1440, 900, 'dark'], [360, 740, 'light'], [3840, 2160, 'dark']]) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, deviceScaleFactor: width < 600 ? 2 : 1, reducedMotion: 'reduce', locale: 'en-GB' });
  const page = await context.newPage();
  await page.goto(`${url}/login`);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL((it) => it.pathname !== '/login');
  for (const [name, path] of Object.entries(views)) {
    if (only !== '' && !only.split(',').includes(name)) continue;
    await page.goto(url + path);
    // The live view fills with time.
    await page.waitForTimeout(name === 'now' ? 20_000 : 1000);
    await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
    await page.screenshot({ path: `${directory}/${name}-${width}-${colorScheme}.png` });
  }
  await context.close();
}
await browser.close();
