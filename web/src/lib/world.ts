// Outlines of the countries, ready to draw.

import { geoEqualEarth, geoPath } from 'd3-geo';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import atlas from 'world-atlas/countries-110m.json';
import { BY_NAME, BY_NUMBER, POINTS } from './countries';

export interface Country {
  /** Two letters, '' where the outlines name none. */
  code: string;
  name: string;
  path: string;
}

export interface World {
  width: number;
  height: number;
  countries: Country[];
  /** Where the countries without an outline are. */
  points: { code: string; x: number; y: number }[];
}

export function world(width: number): World {
  const topology = atlas as unknown as Topology<{ countries: GeometryCollection<{ name: string }> }>;
  const { features } = feature(topology, topology.objects.countries);
  // Nobody sends bytes to Antarctica, and it would take a tenth of the room.
  const shown = features.filter((it) => it.id !== '010');
  const projection = geoEqualEarth().fitWidth(width, { type: 'FeatureCollection', features: shown });
  const draw = geoPath(projection).digits(1);
  const height = Math.ceil(draw.bounds({ type: 'FeatureCollection', features: shown })[1][1]);
  const countries = shown.map((it) => ({
    code: BY_NUMBER.get(String(it.id ?? '')) ?? BY_NAME.get(it.properties.name) ?? '',
    name: it.properties.name,
    path: draw(it) ?? '',
  }));
  const drawn = new Set(countries.map((it) => it.code));
  const points = Object.entries(POINTS).flatMap(([code, at]) => {
    const place = drawn.has(code) ? null : projection(at);
    return place ? [{ code, x: place[0], y: place[1] }] : [];
  });
  return { width, height, countries, points };
}

/** How strongly a country is coloured, 0 to 1: by magnitude, as traffic is spread over many. */
export function strength(value: number, most: number): number {
  if (value <= 0 || most <= 0) return 0;
  // Five magnitudes below the largest are the palest.
  const magnitude = Math.log10(value / most) / 5 + 1;
  return 0.14 + 0.86 * Math.max(0, magnitude) ** 1.6;
}
