// What the server answers under /api/v1.

/** A value of a dimension: numbers for ports, ids and times, '' for unknown or none. */
export type Key = string | number;

/** Sums of traffic. `wire_*` and `rtt_us` are null where nothing was measured. */
export interface Sums {
  send: number;
  recv: number;
  wire_send: number | null;
  wire_recv: number | null;
  events: number;
  connections: number;
  failed: number;
  retrans: number;
  rtt_us: number | null;
}

export interface Answer extends Sums {
  keys: Key[];
}

/** What is not among the answers: how many groups, and what they amount to. */
export interface Others extends Sums {
  groups: number;
}

/** `until` is not included. What lies before `coarse_before` reads as unknown. */
export interface Span {
  since: number;
  until: number;
  coarse_before?: number | null;
}

export interface Point {
  send: number;
  recv: number;
  /** At the IP layer; null where not measured, absent from what a server of before tells. */
  wire_send?: number | null;
  wire_recv?: number | null;
  connections: number;
}

export interface Series {
  start: number;
  /** Seconds of a step. */
  width: number;
  lines: Point[][];
  others: Point[];
}

export interface Report {
  answers: Answer[];
  others: Others;
  total: Sums;
  span: Span;
  series: Series | null;
}

export interface Detail {
  total: Sums;
  span: Span;
  series: Series | null;
  breakdowns: { by: string; answers: Answer[]; others: Others }[];
}

export interface Dimension {
  name: string;
  title: string;
  about: string;
  numeric: boolean;
}

export interface TreeNode {
  exe: string;
  name: string;
  cmdline: string;
  sha256: string;
  script: string;
  pid: number | null;
  user: string;
  login: string;
  unit: string;
  container: string;
  launched: number | null;
  runs: number;
  own: Sums;
  total: Sums;
  children: TreeNode[];
}

export interface Version {
  sha256: string;
  first_seen?: number | null;
  last_seen?: number | null;
  package?: string;
  package_version?: string;
  package_state?: string;
  build_id?: string;
  privileges?: string;
  verity?: string;
  written_by?: string;
  name?: string;
  cmdlines?: number;
  realm?: string;
}

export interface Program {
  exe: string;
  /** The latest first. */
  versions: Version[];
  /** The latest first. */
  cmdlines?: string[];
}

/** Sums by local hour: seven days from Monday on, 24 hours each. */
export interface Heatmap {
  days: Point[][];
  span: Span;
}

/** `since` null: there is nothing. `let_go`: what was older is gone. */
export interface Kept {
  since: number | null;
  let_go: number | null;
}

export type EventKind = 'first-seen' | 'modified' | 'upgraded' | 'gap' | 'lost';

export interface Happening {
  id: string;
  at: number;
  until: number | null;
  kind: EventKind;
  exe: string;
  name: string;
  cmdline: string;
  sha256: string;
  old_sha256: string;
  package: string;
  version: string;
  state: string;
  old_version: string;
  written_by: string;
  container: string;
  detail: string;
  acknowledged: boolean;
}

export interface Happenings {
  events: Happening[];
  /** Earlier ones for which there was no room. */
  left_out: number;
}

export interface Gap {
  began: number;
  ended: number | null;
  reason: string;
}

export interface Hook {
  program: string;
  target: string;
  state: 'attached' | 'not needed' | 'refused' | 'other';
  why: string;
}

export interface GeoDatabase {
  path: string;
  name: string;
  /** Unix seconds. */
  built: number;
  /** Whom to name where its answers are shown; '' if nobody asks for it. */
  attribution: string;
}

/** The daemon's own account, and what the history holds. Without a daemon most of it is absent. */
export interface Status {
  /** `unknown`: it could not be asked. */
  daemon: 'running' | 'absent' | 'unknown';
  why?: string;
  version?: string;
  pid?: number;
  since?: number;
  now?: number;
  front?: string;
  hooks?: Hook[];
  counters?: Record<string, number>;
  flows?: { live: number; max: number };
  database?: {
    path: string;
    bytes: number;
    rows: number | null;
    last_write: number | null;
    state: string;
  };
  geoip?: {
    country: GeoDatabase | null;
    asn: GeoDatabase | null;
    problems: string[];
  };
  warnings?: string[];
  config?: { at_next_start?: string[]; [key: string]: unknown };
  memory?: { rss: number; pss: number };
  self_test?: string;
  history?: {
    rows?: number | null;
    oldest?: number | null;
    newest?: number | null;
    bytes?: number | null;
    levels?: Record<'rows' | 'minutes' | 'hours' | 'days', Kept>;
    /** It cannot be read. */
    error?: { code: string; message: string };
  };
  web?: { version: string; viewers: number };
}

/** What one program did since the tick before; `send` and `recv` are bytes. */
export interface LiveProgram {
  exe: string;
  name: string;
  sha256?: string;
  package_state?: string;
  container?: string;
  script?: string;
  unit?: string;
  user?: string;
  send: number;
  recv: number;
  /** Null where only the history tells of it. */
  peers: number | null;
  flows: number;
  badges?: string[];
}

export interface Tick {
  time: number;
  interval: number;
  programs: LiveProgram[];
  send: number;
  recv: number;
  others?: { programs: number; send: number; recv: number };
}
