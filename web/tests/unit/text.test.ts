import { expect, test } from 'vitest';
import { baseName, countryName, dirName, keyText, printable, shortDigest } from '../../src/lib/text';

test('what would not be seen, or turn text around, is replaced', () => {
  const hostile = ['\u202egpj.exe', 'a\u0000b', '\u001b[31m', 'x\u200by', '\u2066a\u2069', 'tag\u{e0041}', 'soft\u00adhyphen', '\ufeff', 'line\u2028end', 'half\ud800pair', '\udc00'];
  for (const text of hostile) {
    const shown = printable(text);
    expect(shown).toContain('\ufffd');
    expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/);
  }
});

test('honest text stays', () => {
  for (const text of ['/usr/bin/größe', '日本語', 'naïve – “quotes”', '👩 works', '<b>&amp;</b>', 'שלום']) expect(printable(text)).toBe(text);
});

test('paths in two parts', () => {
  expect([dirName('/usr/bin/curl'), baseName('/usr/bin/curl')]).toEqual(['/usr/bin/', 'curl']);
  expect([dirName('(kernel)'), baseName('(kernel)')]).toEqual(['', '(kernel)']);
  expect(baseName('/odd/')).toBe('/odd/');
});

test('values are told by name where they have one', () => {
  expect(keyText('protocol', 6)).toBe('TCP');
  expect(keyText('protocol', 99)).toBe('protocol 99');
  expect(keyText('domain', '')).toBe('(no name)');
  expect(keyText('rport', 443)).toBe('443');
  expect(keyText('country', 'DE')).toBe(countryName('DE'));
  expect(countryName('(private)')).toBe('(private)');
  expect(shortDigest('ab'.repeat(32))).toBe('abababababab…');
  expect(shortDigest('(gone)')).toBe('(gone)');
});
