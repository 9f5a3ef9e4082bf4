import { expect, test } from 'vitest';
import { ago, bytes, change, count, daysBegin, duration, exactBytes, percent, rate, roundTrip, shortCount } from '../../src/lib/format';

const plain = (text: string): string => text.replace(/\u00a0/g, ' ');

test('bytes have three digits and a unit', () => {
  const iec = [0, 1, 1023, 1024, 1536, 10 * 1024, 1023 * 1024, 1024 ** 2, 1024 ** 3 * 9.4, 2 ** 63].map((it) => plain(bytes(it)));
  expect(iec).toEqual(['0 B', '1 B', '1023 B', '1.00 KiB', '1.50 KiB', '10.0 KiB', '1.00 MiB', '1.00 MiB', '9.40 GiB', '8.00 EiB']);
  expect([999, 1000, 999_499, 999_600, 12_345_678].map((it) => plain(bytes(it, 'si')))).toEqual(['999 B', '1.00 kB', '999 kB', '1.00 MB', '12.3 MB']);
});

test('what was not measured is no zero', () => {
  expect([bytes(null), rate(undefined), roundTrip(null), count(null)]).toEqual(['–', '–', '–', '–']);
  expect(exactBytes(null)).toBe('not measured');
  expect(bytes(Number.NaN)).toBe('–');
});

test('rates', () => {
  expect(plain(rate(0.4))).toBe('0.4 B/s');
  expect(plain(rate(2048))).toBe('2.00 KiB/s');
  expect(plain(rate(-2048))).toBe('−2.00 KiB/s');
});

test('shares never round something to nothing', () => {
  expect([percent(0, 5), percent(1, 100_000), percent(1, 3), percent(3, 3), percent(1, 0)].map(plain)).toEqual(['0 %', '< 0.1 %', '33.3 %', '100 %', '–']);
});

test('changes from a period to the next', () => {
  expect([change(5, 0), change(0, 0), change(0, 5), change(112, 100), change(88, 100), change(340, 100), change(100, 100)].map(plain)).toEqual([
    'new', '±0', 'gone', '+12 %', '−12 %', '×3.4', '±0',
  ]);
});

test('durations and times that passed', () => {
  expect([0, 59, 61, 3600, 90061, 86400 * 3].map((it) => plain(duration(it)))).toEqual(['0 s', '59 s', '1 min 1 s', '1 h', '1 d 1 h', '3 d']);
  expect([ago(100, 102), ago(100, 161), ago(0, 7300)].map(plain)).toEqual(['just now', '1 min ago', '2 h ago']);
  expect([roundTrip(54), roundTrip(630_000), roundTrip(1630), roundTrip(2_500_000)].map(plain)).toEqual(['54 µs', '630 ms', '1.6 ms', '2.5 s']);
  expect([shortCount(7), shortCount(1234), shortCount(999_600)]).toEqual(['7', '1.2k', '1.0M']);
});

test('days that do not begin when the reader’s do say so', () => {
  const midnight = new Date(2026, 10, 24).getTime() / 1000;
  expect(daysBegin({ times: [midnight], width: 86_400 })).toBe('');
  expect(daysBegin({ times: [midnight + 5400], width: 86_400 })).toBe('Days begin at midnight UTC, 01:30 here.');
  expect(daysBegin({ times: [midnight + 5400], width: 604_800 })).toMatch(/^Steps begin/);
  expect([daysBegin({ times: [midnight + 5400], width: 3600 }), daysBegin({ times: [], width: 86_400 })]).toEqual(['', '']);
});
