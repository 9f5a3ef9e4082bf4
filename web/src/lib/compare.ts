// One period beside the one before it.

import type { Answer, Detail, Report, Series, Sums } from './types';
import { above, keyOf, stepTimes, sumPoints, type Bytes, type Measure } from './layers';

/** The period of the same length before; null where nothing can be before. */
export function periodBefore(span: { since: number; until: number }): { since: number; until: number } | null {
  const length = span.until - span.since;
  return length <= 0 || span.since - length < 0 ? null : { since: span.since - length, until: span.since };
}

export function sumsByKey(report: Pick<Report, 'answers'> | undefined): Map<string, Answer> {
  return new Map(report?.answers.map((answer) => [keyOf(answer), answer]) ?? []);
}

/** The traffic of `before` per step, moved `length` seconds onto the steps of `onto`. */
export function lineBefore(before: Pick<Detail, 'series'>, onto: Series, length: number, measure: Measure, bytes: Bytes = 'payload'): number[] | undefined {
  if (!before.series) return undefined;
  const { start, lines, others } = before.series;
  const points = sumPoints([...lines, others]);
  // What is kept may begin later than was asked for.
  const moved = Math.round((start + length - onto.start) / onto.width);
  return stepTimes(onto).map((_, at) => {
    const point = points[at - moved];
    return point ? above(point, measure, bytes) : 0;
  });
}

/** What a table ranks and shares out. */
export function amount(sums: Sums, measure: Measure, layer: Bytes): number {
  if (measure === 'connections') return sums.connections;
  const [send, recv] = layer === 'wire' ? [sums.wire_send ?? 0, sums.wire_recv ?? 0] : [sums.send, sums.recv];
  if (measure === 'send') return send;
  if (measure === 'recv') return recv;
  return send + recv;
}
