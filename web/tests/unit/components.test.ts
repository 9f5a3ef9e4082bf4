// @vitest-environment jsdom
import { flushSync, mount, unmount, type Component } from 'svelte';
import { afterEach, expect, test } from 'vitest';
import Amount from '../../src/components/Amount.svelte';
import Heat from '../../src/components/Heat.svelte';
import Ranking from '../../src/components/Ranking.svelte';
import Spark from '../../src/components/Spark.svelte';
import Thing from '../../src/components/Thing.svelte';
import type { Answer } from '../../src/lib/types';

let shown: Record<string, unknown> | undefined;
afterEach(async () => {
  if (shown) await unmount(shown);
  document.body.replaceChildren();
});

function show<Props extends Record<string, unknown>>(component: Component<Props>, props: Props): HTMLElement {
  shown = mount(component, { target: document.body, props }) as Record<string, unknown>;
  flushSync();
  return document.body;
}

test('a number has its unit, and a tooltip that says what is counted', () => {
  const span = show(Amount, { value: 1536, of: 'recv' as const }).querySelector('span');
  expect(span?.textContent).toBe('1.50\u00a0KiB');
  expect(span?.title).toMatch(/^1,536\u00a0B\. Received: application bytes/);
});

test('a hostile name is text, and hides nothing', () => {
  const body = show(Thing, { dimension: 'exe', value: '/tmp/<img src=x onerror=alert(1)>\u202egpj' });
  expect(body.querySelector('img')).toBeNull();
  expect(body.textContent).toContain('<img src=x onerror=alert(1)>\ufffdgpj');
});

const sums = { wire_send: null, wire_recv: null, events: 0, failed: 0, retrans: 0, rtt_us: null };
const answer = (key: string, send: number, recv: number, connections: number): Answer => ({ keys: [key], send, recv, connections, ...sums });

test('a table ranks, sorts when asked, and tells of the others and all', () => {
  const asked: (string | null)[] = [];
  const report = {
    answers: [answer('a.org', 1, 90, 1), answer('b.org', 50, 10, 7)],
    others: { groups: 3, ...answer('', 4, 5, 0) },
    total: answer('', 55, 105, 8),
  };
  const body = show(Ranking, { dimension: 'domain', report, measure: 'both' as const, layer: 'payload' as const, sort: 'send', onsort: (sort: string | null) => void asked.push(sort) });
  const first = [...body.querySelectorAll('tbody tr')].map((row) => row.querySelector('td')?.textContent?.trim());
  expect(first).toEqual(['b.org', 'a.org', '3 others']);
  expect(body.querySelector('th[aria-sort="descending"]')?.textContent).toContain('Sent');
  const button = [...body.querySelectorAll<HTMLButtonElement>('th button')].find((it) => it.textContent?.includes('Connections'));
  button?.click();
  expect(asked).toEqual(['conns']);
  expect(body.querySelector('tfoot')?.textContent).toContain('105');
});

test('small pictures have no holes', () => {
  const body = show(Spark, { up: [0, 5, 0], down: [], place: 2 });
  expect(body.innerHTML).not.toMatch(/NaN|undefined/);
});

test('a week has a square for each hour', () => {
  const days = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => ({ send: 1, recv: 2, connections: 0 })));
  expect(show(Heat, { days }).querySelectorAll('rect')).toHaveLength(168);
});
