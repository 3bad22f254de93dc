// A sender in a process of its own, for tests that kill it. Its options come as JSON in the environment.

import pino from 'pino';
import { openPool } from '../src/db/sql.ts';
import { openLedger } from '../src/ledger/ledger.ts';
import { createSubjectKeys } from '../src/ledger/subject-keys.ts';
import { startSender } from '../src/webhooks/sender.loop.ts';
import { openTransformPool } from '../src/webhooks/transform-pool.ts';

const { addresses, masterKey, secretKey } = JSON.parse(process.env.SENDER_OPTIONS ?? '{}');
const keys = createSubjectKeys(Buffer.from(masterKey, 'hex'));
const reads = openPool(addresses.app, { name: 'reads', connectionsMax: 2 });
const ledger = openLedger({ address: addresses.ledger, reads, keys, lanes: 1, constraints: {}, onFault: () => {} });
await startSender({
  transforms: openTransformPool(),
  address: addresses.sender,
  ledger,
  keys,
  secretKey: Buffer.from(secretKey, 'hex'),
  egress: { allow: [], loopback_for_test: true },
  log: pino({ level: 'silent' }),
});
process.send?.('ready');
