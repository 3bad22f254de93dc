// Single reads that many requests ask for at the same time, sent as one statement. A line belongs here if it is about
// when a gathered read goes out; what is read is the business of the store that gathers.

/** Statements of one gathered read that may be under way at once; what is asked for meanwhile goes out together. */
const LOADS_MAX = 2;
const KEYS_MAX = 100;

/** What is asked for: a key of one world. */
interface Ref {
  world_id: number;
  key: string;
}

interface Asked<Row> extends Ref {
  resolve(row: Row | undefined): void;
  reject(error: unknown): void;
}

/**
 * Answers a function that reads one row by its world and key; `load` answers rows by `world_id/key`. What is asked for in one turn of the event loop, or while two loads
 * are under way, is loaded by one statement; a row is never older than the question.
 */
export function gather<Row>(load: (refs: readonly Ref[]) => Promise<ReadonlyMap<string, Row>>) {
  let waiting: Asked<Row>[] = [];
  let loads = 0;
  let isPlanned = false;

  const plan = () => {
    if (isPlanned || waiting.length === 0 || loads >= LOADS_MAX) return;
    isPlanned = true;
    setImmediate(() => {
      isPlanned = false;
      const asked = waiting.slice(0, KEYS_MAX);
      waiting = waiting.slice(KEYS_MAX);
      loads += 1;
      void run(asked).finally(() => {
        loads -= 1;
        plan();
      });
      plan();
    });
  };

  const run = async (asked: readonly Asked<Row>[]) => {
    try {
      const refs = new Map(asked.map(({ world_id, key }) => [nameOf({ world_id, key }), { world_id, key }]));
      const rows = await load([...refs.values()]);
      for (const one of asked) one.resolve(rows.get(nameOf(one)));
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  };

  return (world_id: number, key: string) =>
    new Promise<Row | undefined>((resolve, reject) => {
      waiting.push({ world_id, key, resolve, reject });
      plan();
    });
}

function nameOf({ world_id, key }: Ref): string {
  return `${world_id}/${key}`;
}
