// Filters as the command line writes them: `exe=/usr/bin/curl`, `domain!=example.org`, `name~fire*`.

export type Operator = '=' | '!=' | '~' | '!~';

export interface Filter {
  dimension: string;
  operator: Operator;
  value: string;
}

export const OPERATORS: { operator: Operator; title: string }[] = [
  { operator: '=', title: 'is' },
  { operator: '!=', title: 'is not' },
  { operator: '~', title: 'matches' },
  { operator: '!~', title: 'does not match' },
];

/** null for what is no filter. */
export function parse(text: string): Filter | null {
  const found = /^([a-z][a-z0-9_]*)(!=|!~|=|~)([\s\S]*)$/.exec(text);
  if (!found) return null;
  const [, dimension, operator, value] = found;
  return { dimension: dimension ?? '', operator: operator as Operator, value: value ?? '' };
}

export function print({ dimension, operator, value }: Filter): string {
  return `${dimension}${operator}${value}`;
}

/** `filters` and `one` more; what says the opposite of it goes. */
export function added(filters: readonly string[], one: Filter): string[] {
  const text = print(one);
  const contrary = print({ ...one, operator: negated(one.operator) });
  return [...filters.filter((it) => it !== text && it !== contrary), text];
}

export function negated(operator: Operator): Operator {
  return operator.startsWith('!') ? (operator.slice(1) as Operator) : (`!${operator}` as Operator);
}

/** `filters` for these values of a dimension alone; they are some of those that pass `filters`. */
export function only(filters: readonly string[], dimension: string, values: readonly string[]): string[] {
  // Of several that a dimension may be, one has to hold: others of them would let more through.
  const kept = filters.filter((text) => {
    const it = parse(text);
    return it === null || it.dimension !== dimension || it.operator.startsWith('!');
  });
  return [...kept, ...values.map((value) => print({ dimension, operator: '=', value }))];
}

/** Letters of a value in an address, so that two dozen fit in one. */
const LONGEST = 240;

/** Whether a filter can name a value: not every name that somebody asked for is one of a host. */
export function canName(dimension: string, value: string): boolean {
  if (new URLSearchParams({ value }).toString().length > LONGEST) return false;
  return dimension !== 'domain' || value === '' || (!/[*/ :]/.test(value) && !value.split('.').includes(''));
}

const TITLES: Record<string, string> = {
  exe: 'Program',
  name: 'Process name',
  cmdline: 'Command line',
  sha256: 'Digest',
  pexe: 'Launched by',
  pname: 'Launcher’s name',
  pcmdline: 'Launcher’s command line',
  psha256: 'Launcher’s digest',
  gpexe: 'Launcher’s launcher',
  gpname: '… its name',
  gpcmdline: '… its command line',
  gpsha256: '… its digest',
  uid: 'User id',
  user: 'User',
  container: 'Container id',
  ctname: 'Container',
  image: 'Image',
  pod: 'Pod',
  unit: 'Unit',
  app: 'Application',
  login: 'Login',
  script: 'Script',
  package: 'Package',
  state: 'Package state',
  domain: 'Domain',
  namesource: 'Name learned by',
  raddr: 'Remote address',
  rport: 'Remote port',
  country: 'Country',
  asn: 'Network (AS)',
  org: 'Network operator',
  laddr: 'Local address',
  lport: 'Local port',
  protocol: 'Protocol',
  family: 'Address family',
  netns: 'Network namespace',
  pid: 'Process id',
  direction: 'Direction',
  outcome: 'Outcome',
  minute: 'Minute',
  hour: 'Hour',
  day: 'Day',
};

export function title(dimension: string): string {
  return TITLES[dimension] ?? dimension;
}

/** Dimensions by what people look for, the common ones first. */
export const GROUPS: { title: string; dimensions: string[] }[] = [
  { title: 'Who', dimensions: ['exe', 'name', 'cmdline', 'user', 'unit', 'app', 'script', 'pid'] },
  { title: 'Whom', dimensions: ['domain', 'raddr', 'country', 'asn', 'org', 'rport'] },
  { title: 'How', dimensions: ['protocol', 'direction', 'outcome', 'family', 'lport', 'laddr', 'namesource'] },
  { title: 'Where it ran', dimensions: ['ctname', 'image', 'container', 'pod', 'netns', 'login', 'uid'] },
  { title: 'What it is', dimensions: ['package', 'state', 'sha256'] },
  { title: 'Launched by', dimensions: ['pexe', 'pname', 'pcmdline', 'gpexe', 'gpname', 'gpcmdline'] },
];
