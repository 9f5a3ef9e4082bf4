import { expect, test } from 'vitest';
import { strength, world } from '../../src/lib/world';

test('nearly every outline has a code, and no code twice', () => {
  const { countries, points, height } = world(1000);
  const without = countries.filter((country) => country.code === '').map((country) => country.name);
  expect(without).toEqual(['N. Cyprus', 'Somaliland']);
  const codes = [...countries, ...points].map((it) => it.code).filter(Boolean);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of ['DE', 'US', 'SG', 'HK', 'ZA', 'XK']) expect(codes).toContain(code);
  expect(height).toBeGreaterThan(300);
});

test('more is stronger', () => {
  const steps = [0, 1, 1e3, 1e6, 1e9].map((value) => strength(value, 1e9));
  expect(steps[0]).toBe(0);
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  expect(steps.at(-1)).toBe(1);
});
