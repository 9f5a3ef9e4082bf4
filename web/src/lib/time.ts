// From when to when.

export interface Range {
  /** `24h`, `all`, or a unix second. */
  since: string;
  /** A unix second, or '' for now. */
  until: string;
}

export const PRESETS = [
  { since: '15m', title: '15 min', long: 'the last 15 minutes' },
  { since: '1h', title: '1 h', long: 'the last hour' },
  { since: '6h', title: '6 h', long: 'the last 6 hours' },
  { since: '24h', title: '24 h', long: 'the last 24 hours' },
  { since: '7d', title: '7 d', long: 'the last 7 days' },
  { since: '30d', title: '30 d', long: 'the last 30 days' },
  { since: 'all', title: 'All', long: 'all that is kept' },
] as const;

export const DEFAULT_SINCE = '24h';

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/** Seconds of `15m`; null for what is no such thing. */
export function seconds(relative: string): number | null {
  const found = /^(\d{1,9})([smhdw])$/.exec(relative);
  const unit = found?.[2] === undefined ? undefined : UNITS[found[2]];
  return found?.[1] === undefined || unit === undefined ? null : Number(found[1]) * unit;
}

function unix(text: string | null): number | null {
  return text !== null && /^\d{1,12}$/.test(text) ? Number(text) : null;
}

/** What the address says, or the default where it makes no sense. */
export function readRange(since: string | null, until: string | null): Range {
  const good = since !== null && (since === 'all' || seconds(since) !== null || unix(since) !== null);
  const end = unix(until);
  return { since: good ? since : DEFAULT_SINCE, until: end === null ? '' : String(end) };
}

/** Unix seconds, as far as they are known without asking: `all` has no beginning. */
export function bounds(range: Range, now: number): { since: number | null; until: number } {
  const until = unix(range.until) ?? now;
  const relative = seconds(range.since);
  const since = relative === null ? unix(range.since) : now - relative;
  return { since, until };
}

/** What was looked at, of what is told: days are told whole, also that which is not over. */
export function lookedAt(span: { since: number; until: number }, range: Range, now: number): { since: number; until: number } {
  return { since: span.since, until: range.until === '' && span.since < now ? Math.min(span.until, Math.ceil(now)) : span.until };
}

/** The span of the same length before, or after (never later than now). */
export function shifted(range: { since: number; until: number }, steps: number, now: number): Range {
  const length = Math.max(60, range.until - range.since);
  const until = Math.min(range.until + steps * length, Math.ceil(now));
  return { since: String(Math.floor(until - length)), until: String(Math.floor(until)) };
}

/** A unix second as a date field of a form wants it, in local time. */
export function toField(unix: number): string {
  const local = new Date((unix - new Date(unix * 1000).getTimezoneOffset() * 60) * 1000);
  return local.toISOString().slice(0, 16);
}

/** And back; null if the field is empty or makes no sense. */
export function fromField(text: string): number | null {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : Math.floor(ms / 1000);
}

/** Seconds that local time is ahead of UTC. */
export function ahead(at: number): number {
  return -60 * new Date(at * 1000).getTimezoneOffset();
}

/** The offset with which steps of `width` seconds begin at `start`. */
export function aligned(start: number, width: number): number {
  return -(((start % width) + width) % width);
}
