// What a table of one dimension looks like, and where its lines lead.

import { added } from './filters';
import { route } from './route.svelte';

/** Dimensions that are offered first. */
export const COMMON = ['exe', 'domain', 'raddr', 'country', 'user', 'rport'];

/** The next question to ask about a value: of a program whom it talks to, of a host who does. */
const NEXT: Record<string, string> = {
  exe: 'domain', name: 'domain', cmdline: 'domain', user: 'exe', unit: 'exe', container: 'exe', ctname: 'exe', image: 'exe',
  domain: 'exe', raddr: 'exe', country: 'domain', asn: 'domain', org: 'domain', rport: 'exe', package: 'exe',
};

/** Where a value leads: programs have a page, all else is looked into. */
export function lookInto(dimension: string, key: string | number): string {
  if (dimension === 'exe' && key !== '') return route.href('/program', { exe: String(key) });
  const filter = added(route.all('filter'), { dimension, operator: '=', value: String(key) });
  return route.href('/history', { filter, by: NEXT[dimension] ?? 'exe' });
}
