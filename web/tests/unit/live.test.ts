// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { WINDOW, Window } from '../../src/lib/live.svelte';
import type { LiveProgram, Tick } from '../../src/lib/types';

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
