import { expect, test } from 'vitest';
import type { LiveProgram, Point, Report, Sums, Tick } from '../../src/lib/types';
import { WINDOW, Window } from '../../src/lib/window';

const program = (exe: string, send: number, recv: number): LiveProgram => ({ exe, name: exe, send, recv, peers: 1, flows: 1 });
const tick = (time: number, programs: LiveProgram[], interval = 1): Tick => ({
  time, interval, programs,
  send: programs.reduce((sum, it) => sum + it.send, 0),
  recv: programs.reduce((sum, it) => sum + it.recv, 0),
});

test('each program has a number for each second, also from before it came', () => {
  const window = new Window();
  window.take(tick(1, [program('/a', 10, 100)]));
  window.take(tick(2, [program('/b', 20, 200)]));
  window.take(tick(4, [program('/a', 4, 8)], 2));
  const [a, b] = [...window.tracks.values()];
  expect([a?.send, b?.send]).toEqual([[10, 0, 2], [0, 20, 0]]);
  expect(window.total.at(-1)).toEqual({ send: 2, recv: 4 });
});

test('it stays within bounds, and forgets who went', () => {
  const window = new Window();
  window.take(tick(0, [program('/gone', 1, 1)]));
  for (let time = 1; time <= 2 * WINDOW; time += 1) window.take(tick(time, [program('/a', 1, 1)]));
  expect(window.times).toHaveLength(WINDOW);
  expect([...window.tracks.values()].map((track) => [track.exe, track.send.length])).toEqual([['/a', WINDOW]]);
});

test('the busiest is first, and quiet ones leave the list', () => {
  const window = new Window();
  window.take(tick(0, [program('/quiet', 1, 1)]));
  for (let time = 1; time <= 70; time += 1) window.take(tick(time, [program('/small', 1, 1), program('/big', 900, 900)]));
  expect(window.lately(70).map((track) => track.exe)).toEqual(['/big', '/small']);
});

test('one program in two containers is two', () => {
  const window = new Window();
  window.take(tick(1, [{ ...program('/a', 1, 0), container: 'x' }, { ...program('/a', 2, 0), container: 'y' }]));
  expect(window.tracks.size).toBe(2);
});

const sums: Sums = { send: 0, recv: 0, wire_send: null, wire_recv: null, events: 0, connections: 0, failed: 0, retrans: 0, rtt_us: null };
const moved = (recv: number): Point => ({ send: 0, recv, connections: 0 });
/** Steps of five seconds, as `/report` tells them. */
const past = (start: number, steps: number, lines: [string, number[]][]): Report => ({
  answers: lines.map(([exe]) => ({ keys: [exe, '', ''], ...sums })),
  others: { groups: 0, ...sums },
  total: sums,
  span: { since: start, until: start + 5 * steps },
  series: { start, width: 5, lines: lines.map(([, line]) => line.map(moved)), others: new Array<Point>(steps).fill(moved(0)) },
});

test('the history tells of what was before the first tick, each byte once', () => {
  const window = new Window();
  window.fill(past(1000, 20, [['/a', [0, 0, 700, ...new Array<number>(17).fill(0)]]]), -Infinity, null);
  window.take(tick(1100.5, [program('/b', 0, 8)]));
  expect(window.times).toHaveLength(100);
  expect(window.times.at(-1)).toBe(1100.5);
  const [a, b] = [...window.tracks.values()];
  expect(a?.recv.reduce((all, one) => all + one, 0)).toBeCloseTo(700);
  expect([a?.recv.length, b?.recv.length, window.total.length]).toEqual([100, 100, 100]);
  expect(a?.at).toBe(1019);
  expect(a?.last.peers).toBeNull();
  // Asked again, it has more.
  window.fill(past(1000, 20, [['/a', [0, 0, 700, ...new Array<number>(16).fill(0), 50]]]), -Infinity, 1100.5);
  expect(window.times).toEqual([...window.times].sort((one, other) => one - other));
  expect(window.times).toHaveLength(100);
  expect(window.total.map((it) => it.recv).filter((it) => it === 5)).toHaveLength(4);
  expect(b?.recv.at(-1)).toBe(8);
});

test('a hole in the feed is none in the chart', () => {
  const window = new Window();
  for (const time of [1000, 1001, 1002]) window.take(tick(time, [program('/a', 0, 9)]));
  window.take(tick(1032, [program('/a', 0, 9)]));
  // Nothing is known of it: nothing is drawn, not what was last.
  expect(window.times.slice(-2)).toEqual([1003, 1032]);
  expect(window.total.at(-2)).toEqual({ send: 0, recv: 0 });
  window.fill(past(1000, 7, [['/a', [30, 30, 30, 30, 30, 30, 0]]]), 1002, 1032);
  expect(window.times).toEqual(Array.from({ length: 33 }, (_, at) => 1000 + at));
  expect(window.tracks.values().next().value?.recv.slice(8, 20)).toEqual(new Array<number>(12).fill(6));
});

test('a clock that is set back leaves times in order', () => {
  const window = new Window();
  for (const time of [1000, 1001, 1002, 900, 901]) window.take(tick(time, [program('/a', 1, 1)]));
  expect(window.times).toEqual([900, 901]);
  expect(window.tracks.values().next().value?.send).toHaveLength(2);
});
