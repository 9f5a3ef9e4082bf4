import { expect, test } from 'vitest';
import { GROUPS, added, negated, parse, print, title } from '../../src/lib/filters';

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
