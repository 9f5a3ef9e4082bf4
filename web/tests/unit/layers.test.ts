import { expect, test } from 'vitest';
import { amount, lineBefore, periodBefore } from '../../src/lib/compare';
import { layersOf, stepTimes, sumPoints, tellsWire } from '../../src/lib/layers';
import { table } from '../../src/lib/plot';
import type { Answer, Point, Report, Sums } from '../../src/lib/types';

const sums = (send: number, recv: number): Sums => ({ send, recv, wire_send: null, wire_recv: recv + 40, events: 1, connections: 1, failed: 0, retrans: 0, rtt_us: null });
const answer = (key: string, send: number, recv: number): Answer => ({ keys: [key], ...sums(send, recv) });
const line = (...pairs: [number, number][]): Point[] => pairs.map(([send, recv]) => ({ send, recv, connections: 1 }));

const report: Report = {
  answers: [answer('/a', 3, 30), answer('/b', 2, 20), answer('/c', 1, 10)],
  others: { groups: 4, ...sums(5, 50) },
  total: sums(11, 110),
  span: { since: 600, until: 720 },
  series: { start: 600, width: 60, lines: [line([1, 10], [2, 20]), line([2, 20], [0, 0]), line([0, 0], [1, 10])], others: line([5, 50], [0, 0]) },
};

test('layers add up to all of the traffic', () => {
  const layers = layersOf(report, 'both', 2, (it) => String(it.keys[0]));
  expect(layers.map((layer) => layer.label)).toEqual(['/a', '/b', '5 others']);
  const all = (of: 'up' | 'down'): number => layers.flatMap((layer) => layer[of] ?? []).reduce((sum, value) => sum + value, 0);
  expect([all('up'), all('down')]).toEqual([report.total.recv, report.total.send]);
  expect(layersOf(report, 'total', 9, () => '').flatMap((layer) => layer.up).reduce((sum, value) => sum + value, 0)).toBe(121);
});

test('a chart is drawn from the highest stack down, as rates', () => {
  const layers = layersOf(report, 'both', 2, () => 'x');
  const [xs, top, ...rest] = table({ times: [600, 660], width: 60, layers, bytes: true });
  expect(xs).toEqual([600, 660, 720]);
  expect(top?.map((value) => Math.round((value ?? 0) * 60))).toEqual([80, 30, 30]);
  // Two more stacks above the line, three below it.
  expect(rest).toHaveLength(5);
  expect(rest[2]?.[0]).toBeCloseTo(-8 / 60);
});

test('nothing makes an empty chart', () => {
  expect(table({ times: [], width: 60, layers: [], bytes: true })[0]).toEqual([]);
  expect(sumPoints([])).toEqual([]);
  expect(layersOf({ ...report, series: null }, 'both', 2, () => '')).toEqual([]);
});

test('the period before', () => {
  expect(periodBefore({ since: 1000, until: 1600 })).toEqual({ since: 400, until: 1000 });
  expect(periodBefore({ since: 100, until: 1600 })).toBeNull();
  if (!report.series) throw new Error('no series');
  const onto = { ...report.series, start: 720, others: [...report.series.others, { send: 0, recv: 0, connections: 0 }] };
  expect(lineBefore(report, onto, 120, 'recv')).toEqual([80, 30, 0]);
  expect(lineBefore(report, onto, 180, 'recv')).toEqual([0, 80, 30]);
  expect(report.series && stepTimes(report.series)).toEqual([600, 660]);
  expect([amount(report.total, 'both', 'payload'), amount(report.total, 'total', 'wire'), amount(report.total, 'connections', 'wire')]).toEqual([121, 150, 1]);
});

test('bytes on the wire, where the server tells them over time', () => {
  expect(tellsWire(report)).toBe(false);
  const wired = (points: Point[]): Point[] => points.map((point) => ({ ...point, wire_send: point.send + 40, wire_recv: null }));
  if (!report.series) throw new Error('no series');
  const told = { ...report, series: { ...report.series, lines: report.series.lines.map(wired), others: wired(report.series.others) } };
  expect(tellsWire(told)).toBe(true);
  const [first] = layersOf(told, 'both', 1, () => '', 'wire');
  expect([first?.up, first?.down]).toEqual([[0, 0], [41, 42]]);
});
