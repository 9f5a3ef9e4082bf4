// Pictures of each view of a running dashboard: to be looked at, and for README and docs.
// shots.mjs URL TOKEN DIRECTORY [--since T] [--until T] [--exe PATH] [--views A,B] [--widths N,M]
//   [--schemes light,dark] [--whole] [--docs]
// --whole: the page down to its end. --docs: without what only concerns the machine that they are made on.
import { existsSync, mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const text = { type: 'string' };
const flag = { type: 'boolean', default: false };
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { since: { ...text, default: '7d' }, until: text, exe: text, views: text, widths: { ...text, default: '360,768,1440,1920,3840' }, schemes: { ...text, default: 'light,dark' }, whole: flag, docs: flag },
});
const [url, token, directory] = positionals;
if (!url || !token || !directory) {
  console.error('usage: shots.mjs URL TOKEN DIRECTORY [--since T] [--until T] [--exe PATH] [--views A,B] [--widths N,M] [--schemes light,dark] [--whole] [--docs]');
  process.exit(2);
}
mkdirSync(directory, { recursive: true });
const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const time = `since=${values.since}${values.until ? `&until=${values.until}` : ''}`;
const views = {
  login: '/login', now: '/', history: `/history?${time}`, compared: `/history?${time}&compare=1`, map: `/map?${time}`, flow: `/flow?${time}`, ports: `/flow?${time}&to=rport`,
  events: `/events?${time}`, system: '/system', ...(values.exe ? { program: `/program?${time}&exe=${encodeURIComponent(values.exe)}` } : {}),
};
const wanted = Object.entries(views).filter(([name]) => values.views === undefined || values.views.split(',').includes(name));
const HEIGHTS = { 360: 740, 768: 1024, 1440: 900, 1920: 1080, 3840: 2160 };
const look = { reducedMotion: 'reduce', locale: 'en-GB' };

const first = await browser.newContext(look);
const login = await first.newPage();
await login.goto(`${url}/login`);
await login.getByLabel('Token').fill(token);
await login.getByRole('button', { name: 'Log in' }).click();
await login.waitForURL((it) => it.pathname !== '/login');
const storageState = await first.storageState();
await first.close();

for (const width of values.widths.split(',').map(Number)) {
  for (const colorScheme of values.schemes.split(',')) {
    const viewport = { width, height: HEIGHTS[width] ?? 900 };
    const open = (state) => browser.newContext({ ...look, viewport, colorScheme, deviceScaleFactor: width < 600 ? 2 : 1, ...state });
    const [known, stranger] = [await open({ storageState }), await open({})];
    for (const [name, path] of wanted) {
      const page = await (name === 'login' ? stranger : known).newPage();
      page.on('console', (message) => ['error', 'warning'].includes(message.type()) && name !== 'login' && console.log(`${name} ${width} ${colorScheme}: ${message.text()}`));
      await page.goto(url + path);
      // The live view fills with time.
      await page.waitForTimeout(name === 'now' ? (values.docs ? 20_000 : 4000) : 1000);
      await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
      // Which hooks this kernel refuses says nothing of the reader's.
      if (values.docs) await page.evaluate(() => document.querySelectorAll('main a.note').forEach((note) => note.remove()));
      await page.screenshot({ path: `${directory}/${name}-${width}-${colorScheme}.png`, fullPage: values.whole });
      await page.close();
    }
    await known.close();
    await stranger.close();
  }
}
await browser.close();
