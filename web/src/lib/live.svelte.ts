// The live feed: what arrived in the last minutes, and how the connection is doing.

import { BASE } from './api';
import { session } from './session.svelte';
import type { LiveProgram, Status, Tick } from './types';

/** Seconds that are kept. */
export const WINDOW = 180;
/** Seconds after which a program that moves nothing leaves the list. */
const QUIET = 60;
/** Notices that are kept. */
const NOTICES = 8;

export interface Track {
  /** A program, what it runs, and where. */
  id: string;
  exe: string;
  last: LiveProgram;
  /** When it last moved something. */
  at: number;
  /** Bytes a second, one entry a second, the newest last. */
  send: number[];
  recv: number[];
  /** Smoothed over a few seconds, so that numbers and order stay calm. */
  sendRate: number;
  recvRate: number;
}

export interface Notice {
  time: number;
  kind: 'missed' | 'warning';
  text: string;
}

export type Link = 'connecting' | 'open' | 'lost';

/** Smoothing: a change shows by two thirds after so many seconds. */
const SMOOTH = 3;

function idOf({ exe, script, container }: LiveProgram): string {
  return [exe, script ?? '', container ?? ''].join('\u0000');
}

/** Takes ticks and knows the last minutes; without the network, so that it can be tested. */
export class Window {
  times: number[] = [];
  total: { send: number; recv: number }[] = [];
  tracks = new Map<string, Track>();

  take(tick: Tick): void {
    const per = tick.interval > 0 ? tick.interval : 1;
    const keep = 1 - Math.exp(-per / SMOOTH);
    this.times.push(tick.time);
    this.total.push({ send: tick.send / per, recv: tick.recv / per });
    const told = new Map(tick.programs.map((program) => [idOf(program), program]));
    for (const [id, program] of told) {
      if (!this.tracks.has(id)) {
        const zeros = new Array<number>(this.times.length - 1).fill(0);
        this.tracks.set(id, {
          id, exe: program.exe, last: program, at: tick.time, send: zeros, recv: [...zeros], sendRate: 0, recvRate: 0,
        });
      }
    }
    for (const [id, track] of this.tracks) {
      const now = told.get(id);
      const send = (now?.send ?? 0) / per;
      const recv = (now?.recv ?? 0) / per;
      if (now) track.last = now;
      if (now && send + recv > 0) track.at = tick.time;
      track.send.push(send);
      track.recv.push(recv);
      track.sendRate += (send - track.sendRate) * keep;
      track.recvRate += (recv - track.recvRate) * keep;
      if (tick.time - track.at > WINDOW) this.tracks.delete(id);
    }
    const surplus = this.times.length - WINDOW;
    if (surplus > 0) {
      this.times.splice(0, surplus);
      this.total.splice(0, surplus);
      for (const track of this.tracks.values()) {
        track.send.splice(0, surplus);
        track.recv.splice(0, surplus);
      }
    }
  }

  /** Programs that moved something lately, the busiest first. */
  lately(now: number): Track[] {
    const lately = [...this.tracks.values()].filter((track) => now - track.at <= QUIET);
    return lately.sort((a, b) => b.sendRate + b.recvRate - a.sendRate - a.recvRate || a.id.localeCompare(b.id));
  }
}

export class Live {
  link = $state<Link>('connecting');
  /** Counts ticks: whoever reads it is told of each. */
  beat = $state(0);
  status = $state.raw<Status | null>(null);
  notices = $state.raw<Notice[]>([]);
  readonly window = new Window();
  #source: EventSource | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;

  open(): void {
    this.close();
    const source = new EventSource(`${BASE}/live`);
    this.#source = source;
    source.onopen = () => (this.link = 'open');
    source.onerror = () => this.#failed(source);
    this.#on('status', (status: Status) => (this.status = status));
    this.#on('tick', (tick: Tick) => {
      this.window.take(tick);
      this.beat += 1;
      if (this.link !== 'open') this.link = 'open';
    });
    this.#on('missed', ({ events }: { events: number }) =>
      this.#notice('missed', Date.now() / 1000, `${events.toLocaleString()} events did not fit: what is shown here for that second is too little. The history has them.`),
    );
    this.#on('warning', ({ time, text }: { time: number; text: string }) => this.#notice('warning', time, text));
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
    this.#source?.close();
    this.#source = undefined;
  }
}
