// What each view asks the server, on record: tests/questions.txt is what the benchmark of the
// dashboard asks (`make bench ARGS=--dashboard`), and this test holds it to the views. After a view
// asks something else: `scripts/web browser BINARY -u`.
import type { Page, Request } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from '../../src/lib/filters';
import { MOST } from '../../src/lib/sankey';
import { aligned } from '../../src/lib/time';
import type { Report, Span } from '../../src/lib/types';
import { WINDOW } from '../../src/lib/window';
import { Stage, until, type Moved } from './stage';

const HEAD = `# What each view asks, below /api/v1, as the browser test recorded it. {since} is when the time
# begins that is looked at, {recent} three minutes ago, {offset} how far the clock is ahead of UTC;
# {began}, {ended}, {width} and {aligned} are of the answer to the view's first report, {before} begins
# the period before. {largest 9 exe}: a filter for each of the nine largest of the view's report by that.
`;

let stage: Stage;
let some: Moved;

beforeAll(async () => {
  stage = await Stage.open();
  some = await stage.download(100_000);
  await until('it is in the history', async () => {
    const report = await stage.ask<Report>('/report?by=exe&since=1h');
    return report.answers.some((answer) => answer.keys[0] === some.exe);
  });
});
afterAll(async () => stage?.close());

/** What a view asks from now on, until it has asked nothing more for a while. */
class Record {
  readonly #asked: URL[] = [];
  readonly #open = new Set<Request>();
  #report: Report | undefined;
  /** Of all reports, each of which began a moment later than the one before. */
  readonly #spans: Span[] = [];

  constructor(page: Page) {
    page.on('request', (request) => {
      const address = new URL(request.url());
      if (!address.pathname.startsWith('/api/v1/')) return;
      this.#asked.push(address);
      // Live data has no end.
      if (!address.pathname.endsWith('/live')) this.#open.add(request);
    });
    page.on('requestfailed', (request) => this.#open.delete(request));
    page.on('requestfinished', async (request) => {
      if (request.url().includes('/api/v1/report?')) {
        const report = (await (await request.response())?.json()) as Report;
        this.#report ??= report;
        this.#spans.push(report.span);
      }
      this.#open.delete(request);
    });
  }

  async lines(page: Page): Promise<string[]> {
    let [quiet, seen] = [0, 0];
    while (quiet < 8) {
      await page.waitForTimeout(100);
      quiet = this.#open.size === 0 && this.#asked.length === seen ? quiet + 1 : 0;
      seen = this.#asked.length;
    }
    const lines = new Set(this.#asked.map((address) => this.#line(address)));
    // What Now missed since it was opened is no question of every time.
    return [...lines].filter((line) => !/since=\d/.test(line)).sort();
  }

  #line(address: URL): string {
    const names = this.#names();
    const earlier = names.get(`since=${address.searchParams.get('since')}`) === '{before}' ? 'earlier ' : '';
    // What two columns of Flow have in common is asked of the largest of both.
    const pair = (address.searchParams.get('by') ?? '').split(',');
    const largest = (filter: string): string | undefined => {
      const dimension = parse(filter)?.dimension ?? '';
      const most = MOST[dimension === 'exe' ? 0 : dimension === 'country' ? 2 : 1];
      return pair.length === 2 && pair.includes(dimension) ? `{largest ${most} ${dimension}}` : undefined;
    };
    const params = [...address.searchParams].map(([name, value]) => {
      const named = names.get(`${earlier}${name}=${value}`) ?? names.get(`${name}=${value}`) ?? (name === 'filter' ? largest(value) : undefined);
      return `${name}=${named ?? value.replace(some.exe, '{exe}')}`;
    }).filter((param, at, all) => param !== all[at - 1]);
    return address.pathname.replace('/api/v1', '') + (params.length > 0 ? `?${params.join('&')}` : '');
  }

  #names(): Map<string, string> {
    const names = new Map([['since=7d', '{since}'], [`since=${WINDOW}s`, '{recent}'], [`offset=${-60 * BERLIN()}`, '{offset}']]);
    for (const span of this.#spans) names.set(`since=${span.since}`, '{began}').set(`until=${span.until}`, '{ended}');
    if (!this.#report) return names;
    const { span, series } = this.#report;
    const before = 2 * span.since - span.until;
    names.set(`since=${before}`, '{before}').set(`until=${span.since}`, '{began}');
    names.set(`since=${span.since}`, '{began}').set(`until=${span.until}`, '{ended}');
    if (series) {
      names.set(`earlier bucket=${series.width}`, '{width}');
      names.set(`earlier offset=${aligned(series.start - (span.until - span.since), series.width)}`, '{aligned}');
    }
    return names;
  }
}

/** As `Date` has it, where the browser of the tests is. */
function BERLIN(): number {
  const there = new Date().toLocaleString('sv-SE', { timeZone: 'Europe/Berlin' });
  const here = new Date().toLocaleString('sv-SE', { timeZone: 'UTC' });
  return (Date.parse(`${here}Z`) - Date.parse(`${there}Z`)) / 60_000;
}

test('every view asks what is on record', async () => {
  const exe = encodeURIComponent(some.exe);
  let text = HEAD;
  for (const [view, path] of [
    ['Now', '/'],
    ['History', '/history?since=7d'],
    ['History, compared', '/history?since=7d&compare=1'],
    ['Choosing a filter', '/history?since=7d'],
    ['Program', `/program?since=7d&exe=${exe}`],
    ['Map', '/map?since=7d'],
    ['Flow', '/flow?since=7d'],
    ['Flow by network', '/flow?since=7d&to=org'],
    ['Flow by address', '/flow?since=7d&to=raddr'],
    ['Flow by port', '/flow?since=7d&to=rport'],
    ['Events', '/events?since=7d'],
    ['System', '/system'],
  ] as const) {
    const page = await stage.page();
    // Away from where logging in led.
    await page.goto(`${stage.base}/nothing`);
    let record = new Record(page);
    await page.goto(stage.base + path);
    let lines = await record.lines(page);
    if (view === 'Choosing a filter') {
      record = new Record(page);
      await page.getByRole('button', { name: 'Add a filter' }).click();
      lines = await record.lines(page);
      await page.getByRole('combobox', { name: 'Value' }).fill('c');
      lines = await record.lines(page);
    }
    text += `\n${view}\n${lines.map((line) => `    ${line}\n`).join('')}`;
  }
  await expect(text).toMatchFileSnapshot('../questions.txt');
});
