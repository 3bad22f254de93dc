// Something that is looked at now and every so often, until it is stopped: the shape that loops share which every process
// runs and which the ledger keeps from doing anything twice.

export interface Looks {
  /** Resolves when a look that is under way has ended. */
  stop(): Promise<void>;
}

export function startLooks(
  look: (isStopped: () => boolean) => Promise<void>,
  intervalMs: number,
  onFault: (error: unknown) => void,
): Looks {
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;
  let looking: Promise<void> = Promise.resolve();

  function turn(): void {
    // A look that is under way when everything is taken down fails, and nobody needs to know.
    looking = look(() => isStopped)
      .catch((error: unknown) => {
        if (!isStopped) onFault(error);
      })
      .finally(() => {
        if (isStopped) return;
        timer = setTimeout(turn, intervalMs);
        timer.unref();
      });
  }

  turn();
  return {
    async stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await looking;
    },
  };
}
