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

function up(points: readonly Point[], measure: Measure): number[] {
  return points.map((point) => {
    if (measure === 'send') return point.send;
    if (measure === 'total') return point.send + point.recv;
    if (measure === 'connections') return point.connections;
    return point.recv;
  });
}

function down(points: readonly Point[], measure: Measure): number[] | null {
  return measure === 'both' ? points.map((point) => point.send) : null;
}

export function sumPoints(lines: readonly (readonly Point[])[]): Point[] {
  const steps = Math.max(0, ...lines.map((line) => line.length));
  const out: Point[] = Array.from({ length: steps }, () => ({ send: 0, recv: 0, connections: 0 }));
  for (const line of lines) {
    line.forEach((point, at) => {
      const sum = out[at];
      if (!sum) return;
      sum.send += point.send;
      sum.recv += point.recv;
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
): Layer[] {
  const { series, answers } = report;
  if (!series) return [];
  const shown = answers.slice(0, most);
  const colours = places(shown.map(keyOf));
  const layers = shown.map((answer, at): Layer => {
    const line = series.lines[at] ?? [];
    return { label: label(answer), place: colours[at] ?? -1, up: up(line, measure), down: down(line, measure) };
  });
  const rest = sumPoints([...series.lines.slice(most), series.others]);
  if (rest.some((point) => point.send + point.recv + point.connections > 0)) {
    const groups = report.others.groups + Math.max(0, answers.length - most);
    const label = groups === 0 ? 'others' : `${groups.toLocaleString()} others`;
    layers.push({ label, place: -1, up: up(rest, measure), down: down(rest, measure) });
  }
  return layers;
}

/** Where each step begins. */
export function stepTimes(series: { start: number; width: number; others: readonly unknown[]; lines: readonly (readonly unknown[])[] }): number[] {
  const steps = Math.max(series.others.length, ...series.lines.map((line) => line.length), 0);
  return Array.from({ length: steps }, (_, at) => series.start + at * series.width);
}
