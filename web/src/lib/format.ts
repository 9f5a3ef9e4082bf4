// Numbers for people. Each has its unit.

export type Units = 'iec' | 'si';

const SCALES: Record<Units, { base: number; names: string[] }> = {
  iec: { base: 1024, names: ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] },
  si: { base: 1000, names: ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'] },
};

/** A no-break space: a number and its unit stay on one line. */
const NBSP = '\u00a0';
const ABSENT = '–';

function three(value: number): string {
  // 999.6 would become 1000: the next unit is taken before that (see `scaled`).
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

function scaled(value: number, units: Units): [string, string] {
  const { base, names } = SCALES[units];
  let at = 0;
  let rest = Math.abs(value);
  while (at + 1 < names.length && rest >= (at === 0 ? base : 999.5)) {
    rest /= base;
    at += 1;
  }
  const sign = value < 0 ? '−' : '';
  const whole = at === 0 ? (Number.isInteger(rest) ? String(rest) : rest.toFixed(1)) : three(rest);
  return [sign + whole, names[at] ?? 'B'];
}

/** `12.4 MiB`; a dash where nothing was measured. */
export function bytes(value: number | null | undefined, units: Units = 'iec'): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return ABSENT;
  return scaled(value, units).join(NBSP);
}

/** `12.4 MiB/s`. */
export function rate(perSecond: number | null | undefined, units: Units = 'iec'): string {
  if (perSecond === null || perSecond === undefined || !Number.isFinite(perSecond)) return ABSENT;
  const value = Math.abs(perSecond) < 100 ? Math.round(perSecond * 10) / 10 : perSecond;
  return `${scaled(value, units).join(NBSP)}/s`;
}

/** The exact number, `13,003,776 B`. */
export function exactBytes(value: number | null | undefined): string {
  return value === null || value === undefined ? 'not measured' : `${value.toLocaleString()}${NBSP}B`;
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? ABSENT : value.toLocaleString();
}

/** `1.2k`, where there is little room. */
export function shortCount(value: number): string {
  if (Math.abs(value) < 1000) return String(Math.round(value * 10) / 10);
  const names = ['k', 'M', 'G', 'T'];
  let rest = value;
  let at = -1;
  while (Math.abs(rest) >= 999.5 && at + 1 < names.length) {
    rest /= 1000;
    at += 1;
  }
  return (Math.abs(rest) >= 100 ? rest.toFixed(0) : rest.toFixed(1)) + (names[at] ?? '');
}

/** `12.3 %`; what is not nothing is never shown as 0. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return ABSENT;
  const value = (100 * part) / whole;
  if (value > 0 && value < 0.1) return `<${NBSP}0.1${NBSP}%`;
  return `${value >= 99.95 || value === 0 ? value.toFixed(0) : value.toFixed(1)}${NBSP}%`;
}

/** A change from one period to the next: `+12 %`, `×3.4`, `new`, `gone`. */
export function change(now: number, before: number): string {
  if (before === 0) return now === 0 ? '±0' : 'new';
  if (now === 0) return 'gone';
  const ratio = now / before;
  if (ratio >= 3) return `×${ratio >= 100 ? shortCount(Math.round(ratio)) : ratio.toFixed(1)}`;
  const value = Math.round((ratio - 1) * 100);
  return value === 0 ? '±0' : `${value > 0 ? '+' : '−'}${Math.abs(value)}${NBSP}%`;
}

/** Microseconds as `23 ms`. */
export function roundTrip(us: number | null | undefined): string {
  if (us === null || us === undefined) return ABSENT;
  if (us < 1000) return `${us}${NBSP}µs`;
  const ms = us / 1000;
  return ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)}${NBSP}ms` : `${(ms / 1000).toFixed(1)}${NBSP}s`;
}

const STEPS: [number, string][] = [
  [86400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** Seconds as `3 d 4 h`: two units at most. */
export function duration(seconds: number): string {
  let rest = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  for (const [size, name] of STEPS) {
    const n = Math.floor(rest / size);
    if (n > 0) parts.push(`${n}${NBSP}${name}`);
    else if (parts.length > 0) break;
    rest -= n * size;
    if (parts.length === 2) break;
  }
  return parts.length === 0 ? `0${NBSP}s` : parts.join(' ');
}

const SECOND: Intl.DateTimeFormatOptions = {
  year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit',
};
const cache = new Map<string, Intl.DateTimeFormat>();

function formatter(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  let found = cache.get(name);
  if (!found) {
    found = new Intl.DateTimeFormat(undefined, { hourCycle: 'h23', ...options });
    cache.set(name, found);
  }
  return found;
}

/** Local time to the second. */
export function moment(unix: number | null | undefined): string {
  if (unix === null || unix === undefined) return ABSENT;
  return formatter('moment', SECOND).format(unix * 1000);
}

/** Local time of the day. */
export function clock(unix: number): string {
  return formatter('clock', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(unix * 1000);
}

/** A sentence for steps of days that begin at another time than the reader's days do. */
export function daysBegin({ times, width }: { times: readonly number[]; width: number }): string {
  const last = times.at(-1);
  if (width < 86_400 || last === undefined) return '';
  const here = clock(last).slice(0, 5);
  return here === '00:00' ? '' : `${width > 86_400 ? 'Steps' : 'Days'} begin at midnight UTC, ${here} here.`;
}

/** A local day, with its weekday. */
export function day(unix: number): string {
  return formatter('day', { weekday: 'short', year: 'numeric', month: 'short', day: 'numeric' }).format(unix * 1000);
}

/** A span as short as it can be told. */
export function spanText(since: number, until: number): string {
  const options: Intl.DateTimeFormatOptions =
    until - since >= 14 * 86400
      ? { year: 'numeric', month: 'short', day: 'numeric' }
      : { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' };
  const name = until - since >= 14 * 86400 ? 'days' : 'minutes';
  return formatter(`span ${name}`, options).formatRange(since * 1000, until * 1000);
}

/** `2 min ago`. */
export function ago(unix: number, now: number): string {
  const passed = now - unix;
  if (passed < 5) return 'just now';
  const [size, name] = STEPS.find(([size]) => passed >= size) ?? [1, 's'];
  return `${Math.floor(passed / size)}${NBSP}${name} ago`;
}
