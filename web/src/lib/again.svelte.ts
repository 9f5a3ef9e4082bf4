// Looking again, calmly: not while somebody points or types, nor while the page is out of sight.

/** Seconds between two looks at steps of `width` seconds: as often as there is a new one, or nearly. */
export function pace(width: number): number {
  return Math.min(Math.max(width, 30), 900);
}

/** Seconds that a pointer which rests is still taken to point at something. */
const RESTS = 30;
/** Milliseconds after which what is due is tried again. */
const RETRY = 2_000;
const USES = ['pointermove', 'pointerdown', 'wheel', 'scroll', 'keydown', 'focusin'];

/**
 * Calls `look` every `seconds()` (null: never) while the view lasts. What is due while `element()`
 * is in use or the page hidden is done once it no longer is.
 */
export function again(seconds: () => number | null, element: () => HTMLElement | undefined, look: () => void): void {
  let used = -Infinity;
  const use = (): void => void (used = Date.now());
  $effect(() => {
    const watched = element();
    for (const name of USES) watched?.addEventListener(name, use, { passive: true });
    return () => {
      for (const name of USES) watched?.removeEventListener(name, use);
    };
  });
  $effect(() => {
    const every = seconds();
    if (every === null) return;
    let due = Date.now() + every * 1000;
    const timer = setInterval(() => {
      const now = Date.now();
      if (now < due || document.hidden || now - used < RESTS * 1000) return;
      due = now + every * 1000;
      look();
    }, RETRY);
    return () => clearInterval(timer);
  });
}
