// @vitest-environment jsdom
import { flushSync } from 'svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { again, pace } from '../../src/lib/again.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** How often it looked, and what it looks at. */
function follow(seconds: () => number | null): { looks: () => number; element: HTMLElement; stop: () => void } {
  let looks = 0;
  const element = document.createElement('div');
  const stop = $effect.root(() => again(seconds, () => element, () => (looks += 1)));
  flushSync();
  return { looks: () => looks, element, stop };
}

test('as often as there is a new step, within reason', () => {
  expect([pace(1), pace(60), pace(900), pace(86_400)]).toEqual([30, 60, 900, 900]);
});

test('it looks again and again, not under somebody’s hands, and no more when the view is gone', () => {
  const { looks, element, stop } = follow(() => 60);
  vi.advanceTimersByTime(58_000);
  expect(looks()).toBe(0);
  vi.advanceTimersByTime(124_000);
  expect(looks()).toBe(3);
  vi.advanceTimersByTime(50_000);
  element.dispatchEvent(new Event('pointermove'));
  vi.advanceTimersByTime(28_000);
  expect(looks()).toBe(3);
  vi.advanceTimersByTime(6_000);
  expect(looks()).toBe(4);
  stop();
  vi.advanceTimersByTime(600_000);
  expect(looks()).toBe(4);
});

test('what is out of sight waits', () => {
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  const { looks, stop } = follow(() => 60);
  vi.advanceTimersByTime(600_000);
  expect(looks()).toBe(0);
  hidden.mockReturnValue(false);
  vi.advanceTimersByTime(2_000);
  expect(looks()).toBe(1);
  stop();
  hidden.mockRestore();
});

test('what has an end of its own is not asked again', () => {
  const { looks, stop } = follow(() => null);
  vi.advanceTimersByTime(600_000);
  expect(looks()).toBe(0);
  stop();
});
