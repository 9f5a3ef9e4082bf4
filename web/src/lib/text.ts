// Text from outside (names of files, processes, hosts) shown so that it can neither hide nor lead
// astray. Svelte escapes HTML; this takes care of what is no HTML.

// C0, DEL, C1; zero width and joiners; line and paragraph separators; bidirectional controls;
// deprecated format characters; tags; private use is left alone (fonts have icons there).
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff]|[\u{e0000}-\u{e0fff}]/gu;

// Halves of pairs that have lost the other half.
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Every character that would not be seen, or would turn text around, becomes U+FFFD. */
export function printable(text: string): string {
  return text.replace(LONE, '\ufffd').replace(HIDDEN, '\ufffd');
}

/** The last part of a path. */
export function baseName(path: string): string {
  const at = path.lastIndexOf('/');
  return at < 0 || at === path.length - 1 ? path : path.slice(at + 1);
}

/** The path before that, with its slash. */
export function dirName(path: string): string {
  const at = path.lastIndexOf('/');
  return at < 0 || at === path.length - 1 ? '' : path.slice(0, at + 1);
}

/** Enough of a digest to tell it from others; a bracketed reason as it is. */
export function shortDigest(sha256: string): string {
  return /^[0-9a-f]{64}$/.test(sha256) ? `${sha256.slice(0, 12)}…` : sha256;
}

const UNKNOWN: Record<string, string> = {
  container: '(no container)',
  ctname: '(no container)',
  image: '(no container)',
  pod: '(no pod)',
  unit: '(no unit)',
  app: '(no application)',
  login: '(no login)',
  script: '(no script)',
  package: '(not packaged)',
  domain: '(no name)',
  outcome: '(open, or none)',
  country: '(unknown)',
};

const PROTOCOLS: Record<number, string> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6', 132: 'SCTP', 262: 'MPTCP' };
const FAMILIES: Record<number, string> = { 2: 'IPv4', 10: 'IPv6', 17: 'packet', 44: 'XDP' };

let regions: Intl.DisplayNames | undefined;

/** A country's name in the reader's language; what is no code (`(private)`) as it is. */
export function countryName(code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) return code === '' ? '(unknown)' : code;
  try {
    regions ??= new Intl.DisplayNames(undefined, { type: 'region', fallback: 'code' });
    return regions.of(code) ?? code;
  } catch {
    return code;
  }
}

/** A value as it is shown. */
export function keyText(dimension: string, key: string | number): string {
  if (typeof key === 'number') {
    if (dimension === 'protocol') return PROTOCOLS[key] ?? (key === 0 ? '(unknown)' : `protocol ${key}`);
    if (dimension === 'family') return FAMILIES[key] ?? `family ${key}`;
    if (key === 0 && (dimension === 'rport' || dimension === 'lport' || dimension === 'pid')) return '(none)';
    return String(key);
  }
  if (key === '') return UNKNOWN[dimension] ?? '(unknown)';
  if (dimension === 'country') return countryName(key);
  if (dimension.endsWith('sha256')) return shortDigest(key);
  return printable(key);
}
