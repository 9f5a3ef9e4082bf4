import { expect, test } from 'vitest';
import { GROUPS, added, canName, negated, only, parse, print, title } from '../../src/lib/filters';

test('filters are read and written as the command line has them', () => {
  for (const text of ['exe=/usr/bin/curl', 'domain!=example.org', 'name~fire*', 'exe!~/usr/lib/*', 'container=', 'cmdline=a=b!=c', 'exe=/a\nb']) {
    const filter = parse(text);
    expect(filter).not.toBeNull();
    if (filter) expect(print(filter)).toBe(text);
  }
  for (const text of ['', 'exe', '=x', 'EXE=1', 'a b=c']) expect(parse(text)).toBeNull();
  expect(parse('name!~x')).toEqual({ dimension: 'name', operator: '!~', value: 'x' });
});

test('a filter replaces what says the opposite', () => {
  const one = { dimension: 'exe', operator: '=', value: '/a' } as const;
  expect(added(['exe!=/a', 'rport=443'], one)).toEqual(['rport=443', 'exe=/a']);
  expect(added(['exe=/a'], one)).toEqual(['exe=/a']);
  expect(['=', '!=', '~', '!~'].map((it) => negated(it as '='))).toEqual(['!=', '=', '!~', '~']);
});

test('each dimension that is offered has a title', () => {
  for (const name of GROUPS.flatMap((group) => group.dimensions)) expect(title(name)).not.toBe(name);
});

test('some values of a dimension alone', () => {
  const filters = ['exe=/a', 'exe~/b*', 'exe!=/c', 'country=DE', 'nonsense'];
  expect(only(filters, 'exe', ['/a', '/b1'])).toEqual(['exe!=/c', 'country=DE', 'nonsense', 'exe=/a', 'exe=/b1']);
  expect([canName('exe', '/opt/a b'), canName('exe', `/${'x'.repeat(250)}`), canName('domain', ''), canName('domain', 'a.example.org')]).toEqual([true, false, true, true]);
  expect(['a..b', '.', '*.org', 'a b', 'a:1'].filter((it) => canName('domain', it))).toEqual([]);
});
