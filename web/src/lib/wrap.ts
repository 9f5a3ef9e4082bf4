// Text that has to fit: on two lines if there may be, and cut in the middle if that is too few.

/** Widths of texts in pixels. */
export type Measure = (text: string) => number;

/** After these a line may end: parts of names of hosts, files and countries. */
const BREAKS = /(?<=[\s./:@_-])/u;

/** As much of `text` as has room, with its beginning and its end. */
function cut(text: string, room: number, measure: Measure): string {
  if (measure(text) <= room) return text;
  const signs = [...text];
  const keep = (kept: number): string => {
    const behind = Math.floor(kept / 3);
    return `${signs.slice(0, kept - behind).join('')}…${behind > 0 ? signs.slice(-behind).join('') : ''}`;
  };
  let [most, tooMany] = [1, signs.length];
  while (most + 1 < tooMany) {
    const kept = (most + tooMany) >> 1;
    if (measure(keep(kept)) <= room) most = kept;
    else tooMany = kept;
  }
  return keep(most);
}

/** `text` on one line, or on two as long as each other as may be, each within `room` pixels. */
export function wrap(text: string, room: number, most: 1 | 2, measure: Measure): string[] {
  const parts = text.split(BREAKS);
  if (most === 1 || parts.length === 1 || measure(text) <= room) return [cut(text, room, measure)];
  const ways = parts.slice(1).map((_, at) => [parts.slice(0, at + 1).join('').trim(), parts.slice(at + 1).join('').trim()]);
  const longest = (lines: readonly string[]): number => Math.max(...lines.map(measure));
  const best = ways.reduce((one, other) => (longest(other) < longest(one) ? other : one));
  return best.map((line) => cut(line, room, measure));
}

let canvas: CanvasRenderingContext2D | null | undefined;
const known = new Map<string, number>();

/** Measures in this font, as CSS writes it. */
export function measureIn(font: string): Measure {
  return (text) => {
    const key = `${font}\u0000${text}`;
    let width = known.get(key);
    if (width === undefined) {
      canvas ??= document.createElement('canvas').getContext('2d');
      if (canvas) canvas.font = font;
      width = canvas?.measureText(text).width ?? 7 * text.length;
      if (known.size > 5_000) known.clear();
      known.set(key, width);
    }
    return width;
  };
}
