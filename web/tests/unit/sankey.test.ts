import { expect, test } from 'vitest';
import { REST, bandsOf, curve, largest, layout, pairsOf, shortened, type Band, type Column } from '../../src/lib/sankey';
import type { Answer } from '../../src/lib/types';

const sums = { wire_send: null, wire_recv: null, events: 0, connections: 0, failed: 0, retrans: 0, rtt_us: null };
const answer = (recv: number, ...keys: (string | number)[]): Answer => ({ keys, send: 0, recv, ...sums });
const report = (groups: number, ...answers: Answer[]) => ({ answers, others: { groups, ...answer(0) } });
const recv = (of: { recv: number }): number => of.recv;

// /a: 100 over 443 to DE and 40 to US, 10 over 22 to US; /b: 30 over 443 to US; /c: 1 over 80 to FR.
const programs = largest(report(0, answer(150, '/a'), answer(30, '/b'), answer(1, '/c')), 9, recv, () => true);
const ports = largest(report(0, answer(170, 443), answer(10, 22), answer(1, 80)), 9, recv, () => true);
const countries = largest(report(0, answer(100, 'DE'), answer(80, 'US'), answer(1, 'FR')), 9, recv, () => true);
const left = pairsOf(report(0, answer(140, '/a', 443), answer(30, '/b', 443), answer(10, '/a', 22), answer(1, '/c', 80)), recv);
const right = pairsOf(report(0, answer(100, 443, 'DE'), answer(70, 443, 'US'), answer(10, 22, 'US'), answer(1, 80, 'FR')), recv);

const all = (bands: readonly Band[], column: number): number => bands.reduce((sum, band) => sum + (band.column === column ? band.value : 0), 0);
const find = (bands: readonly Band[], from: string, to: string): Band[] => bands.filter((band) => band.from === from && band.to === to);

test('which program reached which country is told where it is known, and nowhere else', () => {
  const bands = bandsOf([programs, ports, countries], left, right, 181);
  expect([all(bands, 0), all(bands, 1)]).toEqual([181, 181]);
  expect(find(bands, '443', 'DE')).toMatchObject([{ value: 100, first: null, last: 'DE' }]);
  expect(find(bands, '/a', '443')).toMatchObject([{ value: 140, first: '/a', last: null }]);
  // One program alone uses this port.
  expect(find(bands, '22', 'US')).toMatchObject([{ value: 10, first: '/a' }]);
  expect(find(bands, '/a', '22')).toMatchObject([{ first: '/a', last: 'US' }]);
  // All of a host is in one country: each of its programs reached that.
  const one = pairsOf(report(0, answer(170, 443, 'DE'), answer(10, 22, 'US'), answer(1, 80, 'FR')), recv);
  const apart = bandsOf([programs, ports, countries], left, one, 181);
  expect(find(apart, '443', 'DE').map(({ first, value }) => [first, value])).toEqual([['/a', 140], ['/b', 30]]);
  expect(find(apart, '/b', '443')).toMatchObject([{ last: 'DE' }]);
});

test('what is small goes into others, and they add up exactly', () => {
  const few: [Column, Column, Column] = [shortened(programs, 1), shortened(ports, 1), shortened(countries, 1)];
  const bands = bandsOf(few, left, right, 181);
  expect([all(bands, 0), all(bands, 1)]).toEqual([181, 181]);
  expect(find(bands, '/a', REST)).toMatchObject([{ value: 10 }]);
  expect(find(bands, REST, '443')).toMatchObject([{ value: 30 }]);
  // The other ports reached other countries alone: whose bytes these are is known.
  expect(find(bands, REST, REST).map(({ column, first, value }) => [column, first, value])).toEqual([[1, '/a', 10], [1, REST, 1], [0, REST, 1]]);
  expect(find(bands, '443', REST)).toMatchObject([{ value: 70, first: null }]);
});

test('others are none where all are shown, whatever moved between two questions', () => {
  const late = pairsOf(report(0, answer(139, '/a', 443), answer(31, '/b', 443), answer(10, '/a', 22), answer(1, '/c', 80)), recv);
  const bands = bandsOf([programs, ports, countries], late, right, 181);
  expect(bands.some((band) => band.from === REST || band.to === REST)).toBe(false);
  // What was cut off is somewhere, so nothing is claimed of it.
  const cut = bandsOf([programs, ports, countries], { ...left, others: true, sums: left.sums.slice(0, 3) }, right, 181);
  expect(find(cut, '/c', REST)).toMatchObject([{ value: 1 }]);
});

test('what a filter cannot name, and what moved nothing, has no bar', () => {
  const column = largest(report(2, answer(5, 'a'), answer(9, 'b'), answer(0, 'c'), answer(7, 'odd name')), 2, recv, (key) => !key.includes(' '));
  expect(column).toEqual({ sums: [{ key: 'b', value: 9 }, { key: 'a', value: 5 }], others: true });
});

test('bars are as high as what goes in and out, and stay inside', () => {
  const size = { width: 600, height: 400, bar: 10, gap: 10 };
  const { nodes, links } = layout(bandsOf([programs, shortened(ports, 2), countries], left, right, 181), size);
  expect(nodes.filter((node) => node.column === 1).map((node) => [node.key, node.value])).toContainEqual(['443', 170]);
  for (const node of nodes) {
    const sum = (side: 'from' | 'to'): number => links.filter((link) => link[side] === node).reduce((all, link) => all + link.height, 0);
    if (node.column > 0) expect(sum('to')).toBeCloseTo(node.height, 0);
    if (node.column < 2) expect(sum('from')).toBeCloseTo(node.height, 0);
    expect(node.y).toBeGreaterThanOrEqual(0);
    expect(node.y + node.height).toBeLessThanOrEqual(size.height + 1);
  }
  for (const link of links) expect(curve(link, size.bar)).not.toContain('NaN');
  expect(layout([], size)).toEqual({ nodes: [], links: [] });
  const nothing = largest(report(0), 9, recv, () => true);
  expect(bandsOf([nothing, nothing, nothing], { sums: [], others: false }, { sums: [], others: false }, 0)).toEqual([]);
});
