// Random bytes from a pool: asking the system once for many is a tenth of the cost of asking for each.

const POOL_BYTES = 16_384;

let pool = Buffer.alloc(0);
let used = 0;

/** So many random bytes of the system's generator. Never the same twice: a pool is used up and thrown away. */
export function takeRandom(count: number): Buffer {
  if (used + count > pool.length) {
    pool = Buffer.alloc(POOL_BYTES);
    crypto.getRandomValues(pool);
    used = 0;
  }
  used += count;
  return Buffer.from(pool.subarray(used - count, used));
}
