// How much a key may ask for: a token bucket for each key, in the memory of the process. Every process fills its
// buckets at the key's limit divided by the processes that are alive, so that nothing is asked of the database and a
// request pays for a few numbers. The headers are those of draft-ietf-httpapi-ratelimit-headers-10.

import { WaypostError } from '../errors.ts';

/** A bucket holds what its key may ask for in so many seconds: bursts pass, and the average is held. */
export const RATE_WINDOW_S = 10;
export const RATE_LIMIT_MAX_PER_S = 100_000;
/** As many buckets are kept; then those that are full go, which are the same as new ones. */
const BUCKETS_MAX = 10_000;

/** What a key has left here. */
export interface Bucket {
  /** Of the key on all processes together. */
  readonly limitPerS: number;
  /** Below nothing after a batch that is larger than a bucket: it is paid for before the next request. */
  tokens: number;
  filledAtMs: number;
  /** The header RateLimit-Policy. */
  readonly policy: string;
}

export interface RateLimits {
  /** The bucket of a key; null: the key has no limit. */
  open(keyId: string, limitPerS: number | null): Bucket | null;
  /** Takes one token, or throws `rate_limited`. */
  takeOne(bucket: Bucket | null): void;
  /** Takes what a request with many items costs beyond the one token of every request. */
  takeItems(bucket: Bucket | null, items: number): void;
  /** The header RateLimit: what is left, and in how many seconds all of it is back. */
  describe(bucket: Bucket): string;
  /** How many processes serve the API, of which this is one. */
  setProcesses(count: number): void;
}

export interface RateLimitOptions {
  /** Of keys that have no limit of their own; 0: these have none. */
  defaultPerS: number;
  monotonicMs(): number;
}

export function createRateLimits({ defaultPerS, monotonicMs }: RateLimitOptions): RateLimits {
  const buckets = new Map<string, Bucket>();
  let processes = 1;

  const capacityOf = (bucket: Bucket) => Math.max(1, (bucket.limitPerS * RATE_WINDOW_S) / processes);
  const perMsOf = (bucket: Bucket) => bucket.limitPerS / processes / 1_000;

  function fill(bucket: Bucket): void {
    const now = monotonicMs();
    const tokens = bucket.tokens + (now - bucket.filledAtMs) * perMsOf(bucket);
    bucket.tokens = Math.min(capacityOf(bucket), tokens);
    bucket.filledAtMs = now;
  }

  function makeBucket(keyId: string, limitPerS: number): Bucket {
    if (buckets.size >= BUCKETS_MAX) dropFull();
    const quota = limitPerS * RATE_WINDOW_S;
    const policy = `"key";q=${quota};w=${RATE_WINDOW_S}`;
    const bucket: Bucket = { limitPerS, tokens: Number.POSITIVE_INFINITY, filledAtMs: monotonicMs(), policy };
    buckets.set(keyId, bucket);
    return bucket;
  }

  function dropFull(): void {
    for (const [keyId, bucket] of buckets) {
      fill(bucket);
      if (bucket.tokens >= capacityOf(bucket)) buckets.delete(keyId);
    }
  }

  function refuse(bucket: Bucket, wanted: number, words: string): WaypostError {
    const waitMs = (wanted - bucket.tokens) / perMsOf(bucket);
    return new WaypostError('rate_limited', `${words} Wait as long as Retry-After says.`, {
      retryAfterS: waitMs / 1_000,
      extra: { limit_per_s: bucket.limitPerS },
    });
  }

  return {
    open(keyId, own) {
      const limitPerS = own ?? defaultPerS;
      if (limitPerS === 0) return null;
      const known = buckets.get(keyId);
      return known === undefined || known.limitPerS !== limitPerS ? makeBucket(keyId, limitPerS) : known;
    },
    takeOne(bucket) {
      if (bucket === null) return;
      fill(bucket);
      if (bucket.tokens < 1) {
        throw refuse(bucket, 1, `This API key may make ${bucket.limitPerS} requests a second, and has made more.`);
      }
      bucket.tokens -= 1;
    },
    takeItems(bucket, items) {
      if (bucket === null || items <= 1) return;
      fill(bucket);
      // The token that the request has paid counts; a batch larger than a bucket waits for a full one.
      const wanted = Math.min(items, capacityOf(bucket)) - 1;
      if (bucket.tokens < wanted) {
        throw refuse(bucket, wanted, `This request has ${items} items, each of which counts as a request.`);
      }
      bucket.tokens -= items - 1;
    },
    describe(bucket) {
      const missing = capacityOf(bucket) - bucket.tokens;
      const left = Math.max(0, Math.floor(bucket.tokens));
      return `"key";r=${left};t=${Math.ceil(missing / perMsOf(bucket) / 1_000)}`;
    },
    setProcesses(count) {
      processes = Math.max(1, count);
    },
  };
}
