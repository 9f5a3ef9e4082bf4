import { expect, test } from 'vitest';
import { wrap } from '../../src/lib/wrap';

/** Every sign as wide. */
const measure = (text: string): number => [...text].length * 10;

test('what fits stays on one line', () => {
  expect(wrap('curl', 100, 2, measure)).toEqual(['curl']);
});

test('names break between their parts', () => {
  expect(wrap('cdn.content42.example.net', 140, 2, measure)).toEqual(['cdn.content42.', 'example.net']);
  expect(wrap('img.site1051.net', 130, 2, measure)).toEqual(['img.', 'site1051.net']);
  expect(wrap('Bosnia and Herzegovina', 120, 2, measure)).toEqual(['Bosnia and', 'Herzegovina']);
});

test('what has no room on its lines loses its middle, and no half of a sign', () => {
  expect(wrap('a-very-long-name-of-a-thing.example.net', 120, 2, measure)).toEqual(['a-very-l…of-', 'a-thing.…net']);
  expect(wrap('abcdefghijklmnopqrstuvwxyz', 90, 2, measure)).toEqual(['abcdef…yz']);
  const [line] = wrap('😀😀😀😀😀😀', 40, 1, measure);
  expect(line).toBe('😀😀…😀');
  expect(wrap('abc', 1, 2, measure)).toEqual(['a…']);
});
