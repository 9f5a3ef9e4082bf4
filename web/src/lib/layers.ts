// From an answer to what a chart draws.

import { places } from './colour';
import type { Answer, Point, Report } from './types';

/** What of the traffic is drawn: both directions apart from each other, or one number. */
export type Measure = 'both' | 'recv' | 'send' | 'total' | 'connections';

export interface Layer {
  label: string;
  /** In the palette; -1 for others. */
  place: number;
  /** Amounts per step above the line, and below it. */
  up: number[];
  down: number[] | null;
}

/** Bytes as programs hand them over, or as they go over the wire. */
export type Bytes = 'payload' | 'wire';

/** What of a step stands above the line. */
export function above(point: Point, measure: Measure, bytes: Bytes): number {
  const [send, recv] = bytes === 'wire' ? [point.wire_send ?? 0, point.wire_recv ?? 0] : [point.send, point.recv];
  if (measure === 'send') return send;
  if (measure === 'total') return send + recv;
  return measure === 'connections' ? point.connections : recv;
}

function down(points: readonly Point[], measure: Measure, bytes: Bytes): number[] | null {
  return measure === 'both' ? points.map((point) => (bytes === 'wire' ? (point.wire_send ?? 0) : point.send)) : null;
}

/** Whether a series tells bytes on the wire. */
export function tellsWire({ series }: Report): boolean {
  const point = series?.lines[0]?.[0] ?? series?.others[0];
  return point !== undefined && 'wire_send' in point;
}

export function sumPoints(lines: readonly (readonly Point[])[]): Point[] {
  const steps = Math.max(0, ...lines.map((line) => line.length));
  const out = Array.from({ length: steps }, () => ({ send: 0, recv: 0, wire_send: 0, wire_recv: 0, connections: 0 }));
  for (const line of lines) {
    line.forEach((point, at) => {
      const sum = out[at];
      if (!sum) return;
      sum.send += point.send;
      sum.recv += point.recv;
      sum.wire_send += point.wire_send ?? 0;
      sum.wire_recv += point.wire_recv ?? 0;
      sum.connections += point.connections;
    });
  }
  return out;
}

/** Identifies an answer, in keys and colours. */
export function keyOf(answer: Answer): string {
  return answer.keys.map(String).join('\u0000');
}

/** The first `most` answers as layers, the rest together. */
export function layersOf(
  report: Report,
  measure: Measure,
  most: number,
  label: (answer: Answer) => string,
  bytes: Bytes = 'payload',
): Layer[] {
  const { series, answers } = report;
  if (!series) return [];
  const shown = answers.slice(0, most);
  const colours = places(shown.map(keyOf));
  const layers = shown.map((answer, at): Layer => {
    const line = series.lines[at] ?? [];
    return { label: label(answer), place: colours[at] ?? -1, up: line.map((point) => above(point, measure, bytes)), down: down(line, measure, bytes) };
  });
  const rest = sumPoints([...series.lines.slice(most), series.others]);
  if (rest.some((point) => point.send + point.recv + point.connections > 0)) {
    const groups = report.others.groups + Math.max(0, answers.length - most);
    const label = groups === 0 ? 'others' : `${groups.toLocaleString()} others`;
    layers.push({ label, place: -1, up: rest.map((point) => above(point, measure, bytes)), down: down(rest, measure, bytes) });
  }
  return layers;
}

/** Where each step begins. */
export function stepTimes(series: { start: number; width: number; others: readonly unknown[]; lines: readonly (readonly unknown[])[] }): number[] {
  const steps = Math.max(series.others.length, ...series.lines.map((line) => line.length), 0);
  return Array.from({ length: steps }, (_, at) => series.start + at * series.width);
}
