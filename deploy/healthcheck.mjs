// Asks the Waypost of this container or machine whether it is ready; ends with 0 when it is, else says why not.

import { get as getPlain } from 'node:http';
import { get as getTls } from 'node:https';

const TIMEOUT_MS = 4_000;
const { WAYPOST_HEALTH_PORT, WAYPOST_PORT, WAYPOST_TLS_CERT } = process.env;
const port = WAYPOST_HEALTH_PORT || WAYPOST_PORT || '8080';
const isTls = Boolean(WAYPOST_TLS_CERT);
const url = `${isTls ? 'https' : 'http'}://127.0.0.1:${port}/readyz`;

function end(code, sentence) {
  console.log(sentence);
  process.exit(code);
}

// The certificate is that of the public name, and this is the same machine.
const options = { timeout: TIMEOUT_MS, rejectUnauthorized: false, headers: { connection: 'close' } };
const request = (isTls ? getTls : getPlain)(url, options, (reply) => {
  let text = '';
  reply.on('data', (chunk) => {
    text += chunk;
  });
  reply.on('end', () => end(reply.statusCode === 200 ? 0 : 1, `${url} answers ${reply.statusCode}: ${text}`));
});
request.on('timeout', () => end(1, `${url} did not answer within ${TIMEOUT_MS} ms.`));
request.on('error', (error) =>
  end(1, `Nothing answers at ${url} (${error.code}). A process that only sends needs WAYPOST_HEALTH_PORT.`),
);
