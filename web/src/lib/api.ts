// Questions to the server. Every one can be cancelled, and those of a `Latest` are when the next
// begins, so that switching fast never leaves the server with questions nobody waits for.

import type {
  Detail,
  Dimension,
  Gap,
  Happenings,
  Heatmap,
  Program,
  Report,
  Status,
  TreeNode,
} from './types';

export const BASE = '/api/v1';

/** What the server says is wrong, in a full sentence. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }
}

/** Values of one name are written one after the other; undefined and '' are left out. */
export type Params = Record<string, string | number | readonly string[] | undefined>;

export function queryString(params: Params): string {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === '') continue;
    if (typeof value === 'object') for (const one of value) out.append(name, one);
    else out.append(name, String(value));
  }
  const text = out.toString();
  return text === '' ? '' : `?${text}`;
}

export function url(path: string, params: Params = {}): string {
  return `${BASE}${path}${queryString(params)}`;
}

async function fault(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } };
    return new ApiError(response.status, String(error.code), String(error.message));
  } catch {
    const what = `The server answered ${response.status} ${response.statusText}`.trim();
    return new ApiError(response.status, 'unexpected', `${what}. Is it the same version as this page?`);
  }
}

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'unreachable', 'The dashboard’s server does not answer. Is `femtosnitch web` still running?');
  }
  if (!response.ok) throw await fault(response);
  return response;
}

async function get<T>(path: string, params: Params, signal?: AbortSignal): Promise<T> {
  const response = await send(url(path, params), {
    headers: { accept: 'application/json' },
    ...(signal ? { signal } : {}),
  });
  return (await response.json()) as T;
}

function body(method: string, value: unknown): RequestInit {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

export const api = {
  dimensions: (signal?: AbortSignal) => get<Dimension[]>('/dimensions', {}, signal),
  report: (params: Params, signal?: AbortSignal) => get<Report>('/report', params, signal),
  values: (params: Params, signal?: AbortSignal) => get<Report>('/values', params, signal),
  detail: (params: Params, signal?: AbortSignal) => get<Detail>('/detail', params, signal),
  tree: (params: Params, signal?: AbortSignal) => get<TreeNode[]>('/tree', params, signal),
  program: (exe: string, signal?: AbortSignal) => get<Program>('/program', { exe }, signal),
  heatmap: (params: Params, signal?: AbortSignal) => get<Heatmap>('/heatmap', params, signal),
  events: (params: Params, signal?: AbortSignal) => get<Happenings>('/events', params, signal),
  gaps: (params: Params, signal?: AbortSignal) => get<Gap[]>('/gaps', params, signal),
  status: (signal?: AbortSignal) => get<Status>('/status', {}, signal),
  acknowledge: (ids: readonly string[]) => send(url('/events/ack'), body('POST', { ids })),
  logIn: (token: string) => send(url('/session'), body('POST', { token })),
  logOut: () => send(url('/session'), body('DELETE', {})),
};

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** Runs one question at a time: a new one cancels the one before. */
export class Latest {
  #running: AbortController | undefined;

  /** `undefined` if a newer question, or `cancel`, came in between. */
  async run<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    this.#running?.abort();
    const own = new AbortController();
    this.#running = own;
    try {
      const answer = await ask(own.signal);
      return own.signal.aborted ? undefined : answer;
    } catch (error) {
      if (own.signal.aborted || isAbort(error)) return undefined;
      throw error;
    } finally {
      if (this.#running === own) this.#running = undefined;
    }
  }

  cancel(): void {
    this.#running?.abort();
    this.#running = undefined;
  }
}
