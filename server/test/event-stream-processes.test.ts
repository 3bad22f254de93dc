// Readers of the log while several clients write through two server processes that are killed now and then: whoever
// resumes where it was never skips an event and never gets one twice, whatever it filters by.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openSource } from './event-source.ts';
import { findFreePort, makeDataDir, type ServerProcess, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

const WRITERS = 4;
const KILLS = 3;
const EVENTS_BETWEEN_KILLS = 40;
const FILTERS = ['', 'types=driver.created', 'types=customer.*'];

interface Seen {
  sequence: number;
  previous: number | null;
}

/** One that is started again by the test after it killed it. */
class Server {
  readonly url: string;
  readonly #start: () => ServerProcess;
  #process: ServerProcess;

  constructor(dataDir: string, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#start = () => startServerProcess({ dataDir, port, roles: 'api' });
    this.#process = this.#start();
  }

  get ready() {
    return this.#process.ready;
  }

  async killAndStart(): Promise<void> {
    await this.#process.kill();
    this.#process = this.#start();
    await this.ready;
  }
}

function ask(url: string, key: string, path: string, body?: object): Promise<Response | null> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
  return fetch(url + path, init).catch(() => null);
}

/** The sequence that a reader must reach; null while it is not known. */
type Goal = () => number | null;

/** By a stream that is resumed at the other server whenever it ends. */
async function readByStream(urls: readonly string[], key: string, filter: string, seen: Seen[], goal: Goal) {
  for (let turn = 0; ; turn++) {
    const url = urls[turn % urls.length] ?? '';
    const last = seen.at(-1)?.sequence ?? 0;
    const source = await openSource(url, key, `?${filter}`, { 'last-event-id': String(last) }).catch(() => null);
    if (source === null) continue;
    const hasReached = () => (source.events().at(-1)?.sequence ?? last) >= (goal() ?? Number.POSITIVE_INFINITY);
    let hasEnded = false;
    const ended = source.ended.then(() => {
      hasEnded = true;
    });
    await until(() => hasEnded || hasReached(), 'the end of the stream', 60_000);
    source.close();
    await ended;
    seen.push(...source.events());
    if (hasReached()) return;
  }
}

/** By pages, asking one server after the other. */
async function readByPages(urls: readonly string[], key: string, filter: string, seen: Seen[], goal: Goal) {
  let after = '0';
  for (let turn = 0; ; turn++) {
    const reply = await ask(urls[turn % urls.length] ?? '', key, `/v1/events?limit=7&after=${after}&${filter}`);
    if (reply?.status !== 200) continue;
    const page = (await reply.json()) as { data: Seen[]; has_more: boolean; next: string };
    seen.push(...page.data);
    after = page.next;
    if (Number(after) >= (goal() ?? Number.POSITIVE_INFINITY) && !page.has_more) return;
  }
}

test('readers that resume miss nothing and get nothing twice, while two processes write and are killed', async (t) => {
  const dataDir = await makeDataDir();
  const first = new Server(dataDir, await findFreePort());
  const made = (await first.ready).first_start;
  assert.ok(made !== null);
  const second = new Server(dataDir, await findFreePort());
  await second.ready;
  const urls = [first.url, second.url];
  const key = made.test_key;

  let isWritten = false;
  let written = 0;
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let n = 0; !isWritten; n++) {
      const path = n % 3 === 0 ? '/v1/customers' : '/v1/drivers';
      const reply = await ask(urls[(n + writer) % 2] ?? '', key, path, { name: `N${writer}-${n}` });
      if (reply?.status === 201) written++;
    }
  });
  const goals = new Map<string, number>();
  const readers = FILTERS.flatMap((filter) => [
    { filter, seen: [] as Seen[], read: readByStream },
    { filter, seen: [] as Seen[], read: readByPages },
  ]);
  const reading = readers.map(({ filter, seen, read }, index) =>
    read(index % 2 === 0 ? urls : urls.toReversed(), key, filter, seen, () => goals.get(filter) ?? null),
  );
  for (let kill = 0; kill < KILLS; kill++) {
    const before = written;
    await until(() => written >= before + EVENTS_BETWEEN_KILLS, 'some events');
    await (kill % 2 === 0 ? first : second).killAndStart();
  }
  isWritten = true;
  await Promise.all(writers);
  const log = new Map<string, Seen[]>();
  for (const filter of FILTERS) {
    const whole: Seen[] = [];
    await readByPages([first.url], key, filter, whole, () => 0);
    log.set(filter, whole);
    goals.set(filter, whole.at(-1)?.sequence ?? 0);
  }
  t.diagnostic(`${written} events by ${WRITERS} writers`);
  await Promise.all(reading);
  const told = (seen: readonly Seen[]) => seen.map(({ sequence, previous }) => `${previous}→${sequence}`);
  for (const { filter, seen, read } of readers)
    assert.deepEqual(told(seen), told(log.get(filter) ?? []), `${read.name} ${filter}`);
  const sequences = log.get('')?.map(({ sequence }) => sequence);
  assert.deepEqual(
    sequences,
    Array.from({ length: sequences?.length ?? 0 }, (_, index) => index + 1),
  );
});
