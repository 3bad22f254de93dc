// What `create` is compared with: the same server on the same database, whose ledger commits every command alone.

import pino from 'pino';
import { startApp } from '../server/src/app.ts';
import { readConfig } from '../server/src/config.ts';
import { openWaypost } from '../server/src/operate/open.ts';

const [dataDir = ''] = process.argv.slice(2);
const config = readConfig({ WAYPOST_DATA_DIR: dataDir, WAYPOST_PORT: '0', WAYPOST_RATE_LIMIT: '0' });
const opened = await openWaypost(config, () => {});
const app = await startApp({
  config,
  addresses: opened.addresses,
  masterKey: opened.masterKey,
  log: pino({ level: 'error' }),
  roles: new Set(['api'] as const),
  batchCommandsMax: 1,
});
process.send?.({ port: Number(new URL(app.url).port) });
process.on('disconnect', () => process.exit(0));
