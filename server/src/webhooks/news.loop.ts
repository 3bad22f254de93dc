// Finding out which worlds have news: the heads are asked, often while that finds something that no commit of this
// process has told of, seldom otherwise. What is asked does not depend on how many endpoints there are.

import type { Sql } from '../db/sql.ts';
import { type HeadNews, NEWS_BUCKETS, readHeads } from './sender.store.ts';

export const POLL_BUSY_MS = 5;
export const POLL_IDLE_MS = 50;

export interface News {
  /** What was found when the heads were asked last. */
  headOf(worldId: number): HeadNews | undefined;
  /** Asks now. */
  look(): Promise<void>;
  stop(): void;
}

export interface NewsOptions {
  sql: Sql;
  /** A head moved or its configuration changed; true when this was not known already. */
  onNews(head: HeadNews): boolean;
  onFault(error: unknown): void;
}

export function startNews(options: NewsOptions): News {
  const heads = new Map<number, HeadNews>();
  const sums = new Array<number>(NEWS_BUCKETS).fill(0);
  let pause = POLL_BUSY_MS;
  let timer: NodeJS.Timeout | null = null;
  let looking: Promise<void> | null = null;
  let isStopped = false;

  async function look(): Promise<void> {
    const found = await readHeads(options.sql, sums);
    for (const { world_id } of found) sums[world_id % NEWS_BUCKETS] = 0;
    let isNew = false;
    for (const head of found) {
      // All heads of a bucket are answered together.
      const bucket = head.world_id % NEWS_BUCKETS;
      sums[bucket] = (sums[bucket] ?? 0) + head.sequence + head.config_version;
      const known = heads.get(head.world_id);
      if (known?.sequence === head.sequence && known.config_version === head.config_version) continue;
      heads.set(head.world_id, head);
      isNew = options.onNews(head) || isNew;
    }
    pause = isNew ? POLL_BUSY_MS : Math.min(pause * 2, POLL_IDLE_MS);
  }

  function lookSoon(): Promise<void> {
    looking ??= look()
      .catch((error: unknown) => {
        pause = POLL_IDLE_MS;
        options.onFault(error);
      })
      .finally(() => {
        looking = null;
        if (!isStopped) timer = setTimeout(() => void lookSoon(), pause);
      });
    return looking;
  }

  return {
    headOf: (worldId) => heads.get(worldId),
    async look() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      // One that is under way may have read too early.
      await looking;
      if (timer !== null) clearTimeout(timer);
      await lookSoon();
    },
    stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
