// @vitest-environment jsdom
import { afterEach, expect, test, vi } from 'vitest';
import { ApiError, Latest, api, queryString } from '../../src/lib/api';
import { changed } from '../../src/lib/route.svelte';
import { safeNext } from '../../src/lib/session.svelte';

afterEach(() => vi.unstubAllGlobals());

test('parameters are escaped, repeated, and left out', () => {
  expect(queryString({ since: '7d', filter: ['exe=/a b', 'domain!=x&y'], until: '', limit: undefined })).toBe('?since=7d&filter=exe%3D%2Fa+b&filter=domain%21%3Dx%26y');
  expect(queryString({})).toBe('');
});

test('a new question cancels the one before', async () => {
  const latest = new Latest();
  let stopped = false;
  const first = latest.run((signal) => new Promise<number>((_, reject) => signal.addEventListener('abort', () => {
    stopped = true;
    reject(new DOMException('stopped', 'AbortError'));
  })));
  expect(await latest.run(async () => 2)).toBe(2);
  expect(stopped).toBe(true);
  expect(await first).toBeUndefined();
});

test('an answer that comes too late is not taken', async () => {
  const latest = new Latest();
  let answer = (_: number): void => undefined;
  const first = latest.run(() => new Promise<number>((resolve) => (answer = resolve)));
  latest.cancel();
  answer(1);
  expect(await first).toBeUndefined();
});

test('faults say what to do', async () => {
  const answers = (body: string, status: number): void => void vi.stubGlobal('fetch', async () => new Response(body, { status }));
  answers('{"error":{"code":"bad_filter","message":"`x` is no filter"}}', 400);
  await expect(api.status()).rejects.toEqual(new ApiError(400, 'bad_filter', '`x` is no filter'));
  answers('<html>', 502);
  await expect(api.status()).rejects.toThrow(/502/);
  vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('network')));
  await expect(api.status()).rejects.toThrow(/does not answer/);
});

test('the address keeps what was not changed', () => {
  expect(changed('?since=7d&filter=a%3D1', { since: null, by: 'domain' })).toBe('?filter=a%3D1&by=domain');
  expect(changed('', { filter: ['exe=/usr/bin/a&b', 'x#y=1'] })).toBe('?filter=exe%3D/usr/bin/a%26b&filter=x%23y%3D1');
  expect(changed('?a=1', { a: null })).toBe('');
});

test('nobody is led away after the login', () => {
  for (const next of ['//evil.example', 'https://evil.example', '/\\evil.example', 'javascript:alert(1)', null, '/login?next=/login', '']) expect(safeNext(next)).toBe('/');
  expect(safeNext('/history?since=7d')).toBe('/history?since=7d');
});
