// An answer that views show: the last one stays visible while the next is on its way.

import { untrack } from 'svelte';
import { ApiError, Latest } from './api';
import { session } from './session.svelte';

export class Resource<T> {
  data = $state.raw<T | undefined>(undefined);
  error = $state.raw<Error | undefined>(undefined);
  loading = $state(false);
  #latest = new Latest();

  /** `quietly`: nobody asked for it, so nothing shows that it is on its way, or that it failed. */
  async load(ask: (signal: AbortSignal) => Promise<T>, { quietly = false } = {}): Promise<void> {
    if (quietly && this.loading) return;
    this.loading = !quietly;
    try {
      const answer = await this.#latest.run(ask);
      if (answer === undefined) return;
      this.data = answer;
      this.error = undefined;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) session.expired();
      if (!quietly) this.error = error instanceof Error ? error : new Error(String(error));
    }
    this.loading = false;
  }

  clear(): void {
    this.#latest.cancel();
    this.data = undefined;
    this.error = undefined;
    this.loading = false;
  }

  cancel(): void {
    this.#latest.cancel();
  }
}

/** Asks `ask` again whenever `key` changes, and stops when the view goes. `null`: nothing to ask. */
export function resource<T>(key: () => string | null, ask: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const it = new Resource<T>();
  $effect(() => {
    const now = key();
    untrack(() => (now === null ? it.clear() : void it.load(ask)));
    return () => it.cancel();
  });
  return it;
}
