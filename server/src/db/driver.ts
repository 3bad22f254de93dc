// The PostgreSQL driver, repaired as it is loaded. postgres 3.4.9 has faults, most of them in what it does
// when a connection is lost, and these stop a server that has to live through a restart of its database:
//   1. bytes queued for a closed socket survive it and are sent ahead of the next session's first message;
//   2. the flush of such bytes throws outside of any promise and ends the process (`rollback` after a lost
//      transaction always gets there: https://github.com/porsager/postgres/issues/1208, 1154, 1066);
//   3. the error that ended a session is thrown at the first statement of the next one;
//   4. statements waiting on a reserved connection are never answered when it is lost;
//   5. a list of buffers, booleans or dates is declared with the type of its first element: now the server says;
//   6. what is read right after connecting (the array types) fails outside of any promise that somebody holds;
//   7. a pool that is ended while a connection of it is reserved never ends: the connection stays open when released.
// The version is pinned, and a repair that no longer finds its place refuses to start.

import { registerHooks } from 'node:module';

interface Repair {
  file: string;
  find: string;
  put: string;
}

const repairs: readonly Repair[] = [
  {
    file: '/postgres/src/connection.js',
    find: 'incomings = null\n    clearImmediate(nextWriteTimer)\n',
    put: 'incomings = null\n    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = errorResponse = null\n',
  },
  {
    file: '/postgres/src/connection.js',
    find: 'const x = socket.write(chunk, fn)',
    put: 'const x = socket ? socket.write(chunk, fn) : false',
  },
  {
    file: '/postgres/src/connection.js',
    find: 'if (q.cancelled)\n      return\n\n    try {',
    put: "if (q.cancelled)\n      return\n\n    if (!socket)\n      return queryError(q, Errors.connection('CONNECTION_CLOSED', options)), true\n\n    try {",
  },
  {
    file: '/postgres/src/connection.js',
    find: 'return fetchArrayTypes()\n',
    put: 'return fetchArrayTypes().catch(() => {})\n',
  },
  {
    file: '/postgres/src/index.js',
    find: 'c.reserved.release = true\n',
    put: 'c.reserved.release = true\n    c.onclose = e => { while (queue.length) queue.shift().reject(e) }\n',
  },
  {
    file: '/postgres/src/index.js',
    find: 'c.reserved = null\n      onopen(c)\n',
    put: 'c.reserved = null\n      ending ? c.terminate() : onopen(c)\n',
  },
  {
    file: '/postgres/src/types.js',
    find: 'Array.isArray(x) ? inferType(x[0]) :',
    put: 'Array.isArray(x) ? 0 :',
  },
];

const hooks = registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const own = repairs.filter(({ file }) => url.endsWith(file));
    if (own.length === 0) return loaded;
    const source = own.reduce((text, repair) => applyRepair(text, repair), String(loaded.source));
    return { ...loaded, source };
  },
});

function applyRepair(text: string, { file, find, put }: Repair): string {
  if (text.split(find).length !== 2)
    throw new Error(`${file} is not the version that db/driver.ts repairs: run npm ci`);
  return text.replace(find, () => put);
}

/** The repaired driver. */
export const { default: postgres } = await import('postgres');
hooks.deregister();
