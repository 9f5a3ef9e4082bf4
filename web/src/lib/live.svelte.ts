// The live feed: what arrived in the last minutes, and how the connection is doing.

import { BASE, api } from './api';
import { session } from './session.svelte';
import type { Gap } from './plot';
import type { Status, Tick } from './types';
import { HOLE, PAST, WINDOW, WRITTEN, Window } from './window';

/** Notices that are kept. */
const NOTICES = 8;
/** Milliseconds after which the history has what moved before the feed began: it is written now and then. */
const LATER = 13_000;

export interface Notice {
  time: number;
  kind: 'missed' | 'warning';
  text: string;
}

export type Link = 'connecting' | 'open' | 'lost';

export class Live {
  link = $state<Link>('connecting');
  /** Counts ticks: whoever reads it is told of each. */
  beat = $state(0);
  status = $state.raw<Status | null>(null);
  notices = $state.raw<Notice[]>([]);
  /** What the history has not told yet. */
  waiting = $state.raw<Gap | null>(null);
  readonly window = new Window();
  #source: EventSource | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  /** When the first and the last tick were. */
  #first: number | null = null;
  #last: number | null = null;
  #later = new Set<ReturnType<typeof setTimeout>>();

  /**
   * Follows the feed until what it returns is called, but for the time in which nobody can see the
   * page: a browser has six connections to a server, and each hidden page would keep one.
   */
  attach(): () => void {
    const look = (): void => (document.hidden ? this.close() : this.open());
    document.addEventListener('visibilitychange', look);
    look();
    return () => {
      document.removeEventListener('visibilitychange', look);
      for (const later of this.#later) clearTimeout(later);
      this.close();
    };
  }

  open(): void {
    this.close();
    if (this.#last === null) void this.#past(null, null);
    const source = new EventSource(`${BASE}/live`);
    this.#source = source;
    source.onopen = () => (this.link = 'open');
    source.onerror = () => this.#failed(source);
    this.#on('status', (status: Status) => (this.status = status));
    this.#on('tick', (tick: Tick) => {
      const last = this.#last;
      this.#first ??= tick.time;
      this.#last = tick.time;
      this.window.take(tick);
      this.beat += 1;
      if (last === null || tick.time - last > tick.interval + HOLE) this.#missed(last, tick.time);
      if (this.link !== 'open') this.link = 'open';
    });
    this.#on('missed', ({ events }: { events: number }) =>
      this.#notice('missed', Date.now() / 1000, `${events.toLocaleString()} events did not fit: what is shown here for that second is too little. The history has them.`),
    );
    this.#on('warning', ({ time, text }: { time: number; text: string }) => this.#notice('warning', time, text));
  }

  /** No tick came between these: the history tells, and tells all of it a little later. */
  #missed(from: number | null, until: number): void {
    if (from === null) this.waiting = this.#unwritten(until);
    else void this.#past(from, until);
    const later = setTimeout(() => {
      this.#later.delete(later);
      void this.#past(from, until).then(() => (this.waiting = null));
    }, LATER);
    this.#later.add(later);
  }

  async #past(from: number | null, until: number | null): Promise<void> {
    const { by, bucket, limit } = PAST;
    const since = until === null ? `${WINDOW}s` : Math.floor(Math.max(from ?? 0, until - WINDOW));
    // Without an answer there is less to see, and nothing to say: the feed tells how the server is.
    const report = await api.report({ by, bucket, limit, since }).catch(() => null);
    if (!report) return;
    this.window.fill(report, from ?? -Infinity, until ?? this.#first);
    const to = until ?? this.#first;
    if (to !== null) this.waiting = this.#unwritten(to);
    this.beat += 1;
  }

  /** Rows are written now and then: what moved just before `to` may be in none yet. */
  #unwritten(to: number): Gap | null {
    const from = Math.max(to - WRITTEN - HOLE, (this.window.movedBefore(to) ?? 0) + 1);
    return from < to - 1 ? { from, to, why: 'Not written yet: it is shown in a moment.' } : null;
  }

  #on<T>(name: string, take: (value: T) => void): void {
    this.#source?.addEventListener(name, (event) => {
      try {
        take(JSON.parse((event as MessageEvent<string>).data) as T);
      } catch {
        // A line of a later version; the next one may be understood.
      }
    });
  }

  #failed(source: EventSource): void {
    this.link = 'lost';
    // The browser tries again by itself unless the server refused.
    if (source.readyState !== EventSource.CLOSED) return;
    void fetch(`${BASE}/status`).then((response) => {
      if (response.status === 401) session.expired();
    }, () => undefined);
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.open(), 3000);
  }

  #notice(kind: Notice['kind'], time: number, text: string): void {
    if (this.notices.some((it) => it.kind === kind && it.text === text && time - it.time < 60)) return;
    this.notices = [{ kind, time, text }, ...this.notices].slice(0, NOTICES);
  }

  dismiss(notice: Notice): void {
    this.notices = this.notices.filter((it) => it !== notice);
  }

  close(): void {
    clearTimeout(this.#again);
    this.link = 'connecting';
    this.#source?.close();
    this.#source = undefined;
  }
}
