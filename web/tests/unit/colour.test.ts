import { expect, test } from 'vitest';
import { PALETTE, contrast, hash, places } from '../../src/lib/colour';

test('every colour can be told from its surface', () => {
  for (const colour of PALETTE.light) expect(contrast(colour, '#ffffff'), colour).toBeGreaterThanOrEqual(3);
  for (const colour of PALETTE.dark) expect(contrast(colour, '#14181b'), colour).toBeGreaterThanOrEqual(3);
  expect(PALETTE.light.length).toBe(PALETTE.dark.length);
  expect(new Set(PALETTE.light).size).toBe(PALETTE.light.length);
});

test('text has the contrast that WCAG AA asks for', () => {
  const pairs = [
    ['#15191d', '#f6f6f3'], ['#58616a', '#f6f6f3'], ['#58616a', '#efefea'], ['#0f766e', '#f6f6f3'], ['#0f766e', '#d9efec'], ['#ffffff', '#0f766e'],
    ['#8a5a00', '#fbf0d6'], ['#b3261e', '#fbe4e1'], ['#e7eaec', '#0d1012'], ['#98a2aa', '#1d2327'], ['#2dd4bf', '#123733'], ['#06201d', '#2dd4bf'],
    ['#f2c14e', '#2e2510'], ['#ff8a80', '#3a1714'],
  ] as const;
  for (const [text, ground] of pairs) expect(contrast(text, ground), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
});

test('the largest has the colour of its name in whatever company, and no two share one', () => {
  const keys = Array.from({ length: 10 }, (_, at) => `/usr/bin/tool-${at}`);
  expect(new Set(places(keys)).size).toBe(keys.length);
  for (const key of keys) expect(places([key])[0]).toBe(hash(key) % PALETTE.light.length);
  expect(places([...keys, ...keys.map((key) => `${key}x`)])).toHaveLength(20);
  expect(hash('curl')).toBe(hash('curl'));
});
