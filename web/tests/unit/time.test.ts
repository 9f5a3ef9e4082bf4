import { expect, test } from 'vitest';
import { ahead, aligned, bounds, fromField, lookedAt, readRange, seconds, shifted, toField } from '../../src/lib/time';

test('what makes no sense in an address becomes the default', () => {
  expect(readRange(null, null)).toEqual({ since: '24h', until: '' });
  expect(readRange('7d', null)).toEqual({ since: '7d', until: '' });
  expect(readRange('all', '1700000000')).toEqual({ since: 'all', until: '1700000000' });
  expect(readRange('javascript:', '-1')).toEqual({ since: '24h', until: '' });
  expect([seconds('15m'), seconds('2w'), seconds('x'), seconds('1y')]).toEqual([900, 1_209_600, null, null]);
});

test('steps back and forth keep the length and never pass now', () => {
  expect(shifted({ since: 1000, until: 2000 }, -1, 5000)).toEqual({ since: '0', until: '1000' });
  expect(shifted({ since: 4500, until: 5000 }, 1, 5000)).toEqual({ since: '4500', until: '5000' });
  expect(bounds({ since: '1h', until: '' }, 10_000)).toEqual({ since: 6400, until: 10_000 });
  expect(bounds({ since: 'all', until: '' }, 10_000).since).toBeNull();
});

test('fields are local time', () => {
  const at = Math.floor(Date.parse('2026-11-24T10:30') / 1000);
  expect(toField(at)).toBe('2026-11-24T10:30');
  expect(fromField('2026-11-24T10:30')).toBe(at);
  expect(fromField('')).toBeNull();
  expect(ahead(at)).toBe(-60 * new Date(at * 1000).getTimezoneOffset());
});

test('an offset makes steps begin where they are wanted', () => {
  for (const [start, width] of [[1_795_392_017, 600], [86_400 * 3, 86_400], [5, 3600]] as const) {
    // The server takes the offset as seconds ahead of UTC: steps begin that much earlier.
    const begin = (((-aligned(start, width)) % width) + width) % width;
    expect((start - begin) % width).toBe(0);
    expect(Math.abs(aligned(start, width))).toBeLessThan(86_401);
  }
});

test('a day that is not over is looked at until now', () => {
  const span = { since: 1000, until: 9000 };
  expect(lookedAt(span, { since: '7d', until: '' }, 5000.2)).toEqual({ since: 1000, until: 5001 });
  expect(lookedAt(span, { since: '7d', until: '8000' }, 5000)).toEqual(span);
  // A clock that is wrong by years says nothing.
  expect(lookedAt(span, { since: '7d', until: '' }, 10)).toEqual(span);
});
