// One colour for one thing: the same program has the same one in every view and on every day.

export type Theme = 'light' | 'dark';

// Apart in hue and in lightness, so that eyes that see fewer hues can tell neighbours, and each with
// a contrast of 3:1 or more against the surface of its theme (tested).
export const PALETTE: Record<Theme, readonly string[]> = {
  light: ['#c2570c', '#3b5bdb', '#a61e63', '#5a7d0b', '#7e57c2', '#0e7fb5', '#8f5a3c', '#d6336c', '#2f6b3a', '#9a7400', '#51606f'],
  dark: ['#fb923c', '#8ea8ff', '#e8589b', '#a3d139', '#b99bff', '#4fb8ec', '#c98f70', '#ff9bb0', '#6fc381', '#e3bd3e', '#a7b6c4'],
};

export const OTHERS: Record<Theme, string> = { light: '#a3a9af', dark: '#59636d' };

/** FNV-1a over UTF-16: stable in every browser. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) >>> 0;
}

/**
 * Places in the palette for `keys`, the largest first. Each gets that of its hash; where two in one
 * chart would have the same, the smaller one gives way.
 */
export function places(keys: readonly string[]): number[] {
  const size = PALETTE.light.length;
  const taken = new Set<number>();
  return keys.map((key) => {
    let at = hash(key) % size;
    for (let tries = 0; taken.size < size && taken.has(at) && tries < size; tries += 1) {
      // 5 and 11 have no common factor: every place is tried, and no neighbour first.
      at = (at + 5) % size;
    }
    taken.add(at);
    return at;
  });
}

/** Relative luminance as WCAG has it. */
function luminance(hex: string): number {
  const channel = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

/** Contrast of two colours, 1 to 21. */
export function contrast(one: string, other: string): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
