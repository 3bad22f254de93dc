// A consumer in a process of its own: answers 204 to every message and keeps what its headers and body say of its
// place. Forked by tests; sends its port when it listens, and everything it has on the order `report`.

import { createServer } from 'node:http';

export interface LoggedMessage {
  sequence: number;
  previous: number | null;
  id: string;
  job_id: string | null;
  job_sequence: number | null;
}

const messages: LoggedMessage[] = [];

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('error', () => {});
  request.on('end', () => {
    const sequence = request.headers['waypost-sequence'];
    if (typeof sequence === 'string') {
      const event = JSON.parse(Buffer.concat(chunks).toString()) as {
        id: string;
        job_sequence: number | null;
        data: { job?: { id: string } };
      };
      const previous = request.headers['waypost-previous'];
      messages.push({
        sequence: Number(sequence),
        previous: previous === 'null' ? null : Number(previous),
        id: event.id,
        job_id: event.data.job?.id ?? null,
        job_sequence: event.job_sequence,
      });
    }
    response.writeHead(204).end();
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});
process.on('message', () => process.send?.(messages));
process.on('disconnect', () => process.exit(0));
