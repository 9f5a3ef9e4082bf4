// How uPlot draws stacked steps: what is received above the line, what is sent below it.

import uPlot from 'uplot';
import { OTHERS, PALETTE, type Theme } from './colour';
import { rate, shortCount, type Units } from './format';
import type { Layer } from './layers';

export interface Gap {
  from: number;
  to: number;
  why: string;
}

export interface Picture {
  /** Where each step begins, unix seconds. */
  times: number[];
  /** Seconds of a step. */
  width: number;
  /** The largest first; it lies at the line. */
  layers: Layer[];
  /** Sums per step of the period before, above the line. */
  before?: number[] | undefined;
  /** Times of which not all is known, and why. */
  gaps?: Gap[] | undefined;
  /** Amounts are bytes; else they are counted. */
  bytes: boolean;
}

export interface Look {
  theme: Theme;
  units: Units;
  /** From a beginning to an end, for a live chart that moves; else all steps. */
  range?: [number, number] | undefined;
}

export function layerColour(place: number, theme: Theme): string {
  return PALETTE[theme][place] ?? OTHERS[theme];
}

/** Amounts per step as amounts per second, each on top of those before it. */
function stacked(lines: number[][], divide: number, sign: 1 | -1): number[][] {
  const sums: number[] = [];
  return lines.map((line) => line.map((value, at) => (sums[at] = (sums[at] ?? 0) + (sign * value) / divide)));
}

/** uPlot's table: times, then what is to be drawn first (the highest stacks), at last the line before. */
export function table(picture: Picture): uPlot.AlignedData {
  const { times, width, layers, before, bytes } = picture;
  const divide = bytes ? width : 1;
  const ups = stacked(layers.map((layer) => layer.up), divide, 1).reverse();
  const downs = stacked(layers.flatMap((layer) => (layer.down ? [layer.down] : [])), divide, -1).reverse();
  // A step more, so that the last one has its width.
  const end = (line: number[]): number[] => [...line, line.at(-1) ?? 0];
  const last = times.at(-1);
  const xs = last === undefined ? [] : [...times, last + width];
  const old = before ? [end(before.map((value) => value / divide))] : [];
  return [xs, ...[...ups, ...downs].map(end), ...old];
}

// Axes of bytes go by powers of two or of ten, as the units do.
function increments(units: Units, bytes: boolean): number[] {
  if (!bytes) return [1, 2, 5].flatMap((n) => Array.from({ length: 10 }, (_, at) => n * 10 ** at)).sort((a, b) => a - b);
  const out: number[] = [];
  if (units === 'iec') for (let at = 0; at < 50; at += 1) out.push(2 ** at);
  else for (let at = 0; at < 15; at += 1) out.push(10 ** at, 2 * 10 ** at, 5 * 10 ** at);
  return out;
}

function timeLabels(_u: uPlot, splits: number[], _axis: number, _space: number, step: number): string[] {
  let before = '';
  return splits.map((unix) => {
    const at = new Date(unix * 1000);
    const date = at.toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
    if (step >= 86400) return date;
    const options: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
    if (step < 60) options.second = '2-digit';
    const time = at.toLocaleTimeString(undefined, options);
    const first = before !== '' && before !== date;
    before = date;
    return first ? `${time}\n${date}` : time;
  });
}

function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function drawGaps(picture: () => Picture): (u: uPlot) => void {
  return (u) => {
    const gaps = picture().gaps ?? [];
    if (gaps.length === 0) return;
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.strokeStyle = css('--line');
    ctx.fillStyle = css('--hover');
    ctx.lineWidth = devicePixelRatio;
    for (const gap of gaps) {
      const left = u.valToPos(gap.from, 'x', true);
      const right = Math.max(left + 2, u.valToPos(gap.to, 'x', true));
      if (right < bbox.left || left > bbox.left + bbox.width) continue;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, right - left, bbox.height);
      ctx.clip();
      ctx.beginPath();
      for (let x = left - bbox.height; x < right; x += 9 * devicePixelRatio) {
        ctx.moveTo(x, bbox.top + bbox.height);
        ctx.lineTo(x + bbox.height, bbox.top);
      }
      ctx.stroke();
      ctx.restore();
    }
    ctx.restore();
  };
}

function drawLine(u: uPlot): void {
  const { ctx, bbox } = u;
  const y = Math.round(u.valToPos(0, 'y', true));
  ctx.save();
  ctx.strokeStyle = css('--soft');
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

export interface Hooks {
  picture: () => Picture;
  onpoint: (at: number | null, left: number, top: number) => void;
  onzoom?: ((since: number, until: number) => void) | undefined;
}

/** How much larger text is than on a usual screen. */
export function scale(): number {
  return (parseFloat(getComputedStyle(document.documentElement).fontSize) || 15) / 15;
}

/** Room for the labels of amounts. */
export function axisWidth(width: number): number {
  return (width < 480 ? 58 : 84) * scale();
}

/** Without digits that say nothing, and short where there is little room. */
function round(value: number, narrow: boolean, units: Units): string {
  const text = rate(value, units).replace(/\.(\d*?)0+(?=\D)/, (_, rest: string) => (rest === '' ? '' : `.${rest}`));
  return narrow ? text.replace('/s', '') : text;
}

/** A chart of this size; data is as `table` makes it. */
export function options(look: Look, size: { width: number; height: number }, hooks: Hooks): uPlot.Options {
  const { layers, before, bytes } = hooks.picture();
  const steps = uPlot.paths.stepped?.({ align: 1 });
  const edge = css('--surface');
  const one = (place: number): uPlot.Series => {
    const colour = layerColour(place, look.theme);
    return { fill: colour, stroke: edge, width: 0.5, points: { show: false }, ...(steps ? { paths: steps } : {}) };
  };
  const ups = layers.map((layer) => one(layer.place)).reverse();
  const downs = layers.flatMap((layer) => (layer.down ? [one(layer.place)] : [])).reverse();
  const old: uPlot.Series[] = before
    ? [{ stroke: css('--ink'), width: 1.25, dash: [5, 4], points: { show: false }, ...(steps ? { paths: steps } : {}) }]
    : [];
  const narrow = size.width < 480;
  const large = scale();
  const text = `${12 * large}px ${css('--sans') || 'sans-serif'}`;
  const label = (value: number): string => (bytes ? round(Math.abs(value), narrow, look.units) : shortCount(Math.abs(value)));
  return {
    ...size,
    // Half a time has room beside the last step.
    padding: [8, (narrow ? 16 : 28) * large, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: hooks.onzoom !== undefined, y: false, setScale: false },
    },
    scales: {
      x: { time: true, range: (_u, min, max) => look.range ?? [min, max] },
      y: {
        range: (_u, min, max) => {
          const most = Math.max(max ?? 0, 0);
          const least = Math.min(min ?? 0, 0);
          return most === 0 && least === 0 ? [0, bytes ? 1024 : 1] : [least * 1.06, most * 1.06];
        },
      },
    },
    axes: [
      { stroke: css('--soft'), font: text, grid: { show: false }, ticks: { show: false }, values: timeLabels, space: (narrow ? 70 : 90) * large, size: (_u, labels) => (labels?.some((label) => label.includes('\n')) ? 40 : 26) * large, gap: 8 },
      {
        stroke: css('--soft'),
        font: text,
        grid: { stroke: css('--line'), width: 1 },
        ticks: { show: false },
        incrs: increments(look.units, bytes),
        values: (_u, splits) => splits.map(label),
        size: axisWidth(size.width),
        space: 38 * large,
        gap: 8,
      },
    ],
    series: [{}, ...ups, ...downs, ...old],
    hooks: {
      drawClear: [drawGaps(hooks.picture)],
      draw: [drawLine],
      setCursor: [(u) => hooks.onpoint(u.cursor.idx ?? null, u.cursor.left ?? -1, u.cursor.top ?? -1)],
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          if (width < 6) return;
          const [since, until] = [u.posToVal(left, 'x'), u.posToVal(left + width, 'x')];
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          hooks.onzoom?.(Math.floor(since), Math.ceil(until));
        },
      ],
    },
  };
}
