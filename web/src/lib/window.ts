// What moved in the last minutes, second by second and program by program.

import { sumPoints } from './layers';
import { baseName } from './text';
import type { LiveProgram, Point, Report, Tick } from './types';

/** Seconds that are kept. */
export const WINDOW = 180;
/** Seconds after which a program that moves nothing leaves the list. */
const QUIET = 60;
/** Smoothing: a change shows by two thirds after so many seconds. */
const SMOOTH = 3;
/** What comes so many seconds late leaves a hole, which the history fills. */
export const HOLE = 2;
/** Seconds that a row of the history is of, as the daemon writes them unless told otherwise. */
export const WRITTEN = 10;

/** What is asked of the history for `Window.fill`. */
export const PAST = { by: 'exe,script,container', bucket: 5, limit: 60 } as const;

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

interface Rates {
  send: number[];
  recv: number[];
}

function idOf({ exe, script, container }: LiveProgram): string {
  return [exe, script ?? '', container ?? ''].join('\u0000');
}

const zeros = (length: number): number[] => new Array<number>(Math.max(0, length)).fill(0);

/** Takes ticks and the history; without the network, so that it can be tested. */
export class Window {
  times: number[] = [];
  total: { send: number; recv: number }[] = [];
  tracks = new Map<string, Track>();

  take(tick: Tick): void {
    // What the history filled in may reach as far, and a clock may be set back.
    const later = this.times.findIndex((time) => time >= tick.time);
    if (later >= 0) this.#cut(later, this.times.length);
    const per = tick.interval > 0 ? tick.interval : 1;
    const keep = 1 - Math.exp(-per / SMOOTH);
    const last = this.times.at(-1);
    if (last !== undefined && tick.time - last > per + HOLE) this.#nothing(last + per);
    this.times.push(tick.time);
    this.total.push({ send: tick.send / per, recv: tick.recv / per });
    const told = new Map(tick.programs.map((program) => [idOf(program), program]));
    for (const [id, program] of told) this.#track(id, program, this.times.length - 1);
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
    this.#cut(0, this.times.length - WINDOW);
  }

  /**
   * Tells of the seconds after `from` and before `until` (or as far as is known) what the history
   * has of them, in place of what was told of them before.
   */
  fill(report: Report, from: number, until: number | null): void {
    const { series } = report;
    if (!series || series.width <= 0) return;
    const end = Math.min(until ?? Infinity, report.span.until - 1);
    const first = Math.max(Math.floor(from) + 1, report.span.since, Math.ceil(end) - WINDOW);
    const seconds = Array.from({ length: Math.max(0, Math.ceil(end - first)) }, (_, at) => first + at);
    const begin = this.times.findIndex((time) => time > from);
    const at = begin < 0 ? this.times.length : begin;
    const behind = this.times.findIndex((time) => time >= end);
    this.#cut(at, behind < 0 ? this.times.length : behind);
    const spread = (points: readonly Point[]): Rates => ({
      send: seconds.map((time) => rateAt(points, series, time, 'send')),
      recv: seconds.map((time) => rateAt(points, series, time, 'recv')),
    });
    const all = spread(sumPoints([...series.lines, series.others]));
    const parts = new Map<string, Rates>();
    report.answers.forEach(({ keys: [exe, script, container] }, line) => {
      const program: LiveProgram = {
        exe: String(exe), name: baseName(String(exe)), script: String(script ?? ''), container: String(container ?? ''), send: 0, recv: 0, peers: null, flows: 0,
      };
      const id = idOf(program);
      const rates = spread(series.lines[line] ?? []);
      if (![...rates.send, ...rates.recv].some((rate) => rate > 0)) return;
      parts.set(id, rates);
      this.#track(id, program, this.times.length);
    });
    this.times.splice(at, 0, ...seconds);
    this.total.splice(at, 0, ...seconds.map((_, second) => ({ send: all.send[second] ?? 0, recv: all.recv[second] ?? 0 })));
    for (const [id, track] of this.tracks) {
      const mine = parts.get(id) ?? { send: zeros(seconds.length), recv: zeros(seconds.length) };
      track.send.splice(at, 0, ...mine.send);
      track.recv.splice(at, 0, ...mine.recv);
      this.#smooth(track);
    }
    this.#cut(0, this.times.length - WINDOW);
  }

  /** One entry without traffic. */
  #nothing(time: number): void {
    this.times.push(time);
    this.total.push({ send: 0, recv: 0 });
    for (const track of this.tracks.values()) for (const list of [track.send, track.recv]) list.push(0);
  }

  #track(id: string, program: LiveProgram, length: number): void {
    if (this.tracks.has(id)) return;
    this.tracks.set(id, { id, exe: program.exe, last: program, at: this.times.at(-1) ?? 0, send: zeros(length), recv: zeros(length), sendRate: 0, recvRate: 0 });
  }

  /** Takes away the entries from `begin` up to, not including, `end`. */
  #cut(begin: number, end: number): void {
    if (end <= begin) return;
    for (const list of [this.times, this.total]) list.splice(begin, end - begin);
    for (const track of this.tracks.values()) for (const list of [track.send, track.recv]) list.splice(begin, end - begin);
  }

  /** As if all that is known of it had been told second by second. */
  #smooth(track: Track): void {
    const keep = 1 - Math.exp(-1 / SMOOTH);
    const smooth = (list: readonly number[]): number => list.reduce((rate, one) => rate + (one - rate) * keep, 0);
    [track.sendRate, track.recvRate] = [smooth(track.send), smooth(track.recv)];
    for (let at = this.times.length - 1; at >= 0; at -= 1) {
      if ((track.send[at] ?? 0) + (track.recv[at] ?? 0) === 0) continue;
      track.at = this.times[at] ?? track.at;
      return;
    }
  }

  /** When something moved last before `time`; null if it is not known of anything. */
  movedBefore(time: number): number | null {
    for (let at = this.times.length - 1; at >= 0; at -= 1) {
      const [then, sums] = [this.times[at], this.total[at]];
      if (then !== undefined && then < time && sums && sums.send + sums.recv > 0) return then;
    }
    return null;
  }

  /** Programs that moved something lately, the busiest first. */
  lately(now: number): Track[] {
    const lately = [...this.tracks.values()].filter((track) => now - track.at <= QUIET);
    return lately.sort((a, b) => b.sendRate + b.recvRate - a.sendRate - a.recvRate || a.id.localeCompare(b.id));
  }
}

/** A row stands where its first byte moved, and is of some seconds: its bytes are spread over them. */
function rateAt(points: readonly Point[], series: { start: number; width: number }, time: number, of: 'send' | 'recv'): number {
  const step = Math.floor((time - series.start) / series.width);
  const steps = Math.max(1, Math.round(WRITTEN / series.width));
  let sum = 0;
  for (let back = 0; back < steps; back += 1) sum += points[step - back]?.[of] ?? 0;
  return sum / (steps * series.width);
}
