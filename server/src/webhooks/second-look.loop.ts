// What has to be looked at again in a while, because it was not taken on whole or could not be read: gathered, and looked
// at together. A line belongs here if it is about when that is, not about what is looked at.

export interface SecondLook<T> {
  add(what: Iterable<T>): void;
  /** It is being looked at now. */
  drop(what: Iterable<T>): void;
  stop(): void;
}

/** What `look` still finds to do it adds again. It may not fail. */
export function planSecondLook<T>(pauseMs: number, look: (what: ReadonlySet<T>) => Promise<void>): SecondLook<T> {
  let left = new Set<T>();
  let timer: NodeJS.Timeout | null = null;
  let isLooking = false;
  let isStopped = false;

  function plan(): void {
    if (isStopped || isLooking || left.size === 0) return;
    timer ??= setTimeout(() => void lookNow(), pauseMs).unref();
  }

  async function lookNow(): Promise<void> {
    timer = null;
    const what = left;
    left = new Set();
    isLooking = true;
    await look(what);
    isLooking = false;
    plan();
  }

  return {
    add(what) {
      for (const each of what) left.add(each);
      plan();
    },
    drop(what) {
      for (const each of what) left.delete(each);
    },
    stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
