// The client: `new Waypost({ url, key })`. A line belongs here if it says what the client offers; how each resource is
// called stands in its own file, webhooks and errors have entries of their own (`@waypost/sdk/webhooks`, `/errors`).

import { auditCalls } from './audit.ts';
import { channelCalls } from './channels.ts';
import { consumerCalls } from './consumers.ts';
import { deadLetterCalls } from './dead-letters.ts';
import { endpointCalls } from './endpoints.ts';
import { eventCalls } from './events.ts';
import { exceptionCalls } from './exceptions.ts';
import { driverCalls, hubCalls, vehicleCalls } from './fleet.ts';
import { jobCalls } from './jobs.ts';
import { keyCalls } from './keys.ts';
import { addressCalls, customerCalls } from './parties.ts';
import { replayCalls } from './replays.ts';
import { traceCalls } from './traces.ts';
import { type CallOptions, createTransport, type WaypostOptions } from './transport.ts';

/** A client of one server with one key. It holds no connection and no state. */
export class Waypost {
  readonly jobs: ReturnType<typeof jobCalls>;
  readonly exceptions: ReturnType<typeof exceptionCalls>;
  readonly events: ReturnType<typeof eventCalls>;
  readonly consumers: ReturnType<typeof consumerCalls>;
  readonly endpoints: ReturnType<typeof endpointCalls>;
  readonly traces: ReturnType<typeof traceCalls>;
  readonly deadLetters: ReturnType<typeof deadLetterCalls>;
  readonly replays: ReturnType<typeof replayCalls>;
  readonly customers: ReturnType<typeof customerCalls>;
  readonly addresses: ReturnType<typeof addressCalls>;
  readonly drivers: ReturnType<typeof driverCalls>;
  readonly vehicles: ReturnType<typeof vehicleCalls>;
  readonly hubs: ReturnType<typeof hubCalls>;
  readonly channels: ReturnType<typeof channelCalls>;
  readonly keys: ReturnType<typeof keyCalls>;
  readonly audit: ReturnType<typeof auditCalls>;
  /** What the server says about its API: every operation with its schemas and examples (OpenAPI 3.1). */
  readonly openapi: (call?: CallOptions) => Promise<Record<string, unknown>>;

  constructor(options: WaypostOptions) {
    const transport = createTransport(options);
    this.jobs = jobCalls(transport);
    this.exceptions = exceptionCalls(transport);
    this.events = eventCalls(transport);
    this.consumers = consumerCalls(transport);
    this.endpoints = endpointCalls(transport);
    this.traces = traceCalls(transport);
    this.deadLetters = deadLetterCalls(transport);
    this.replays = replayCalls(transport);
    this.customers = customerCalls(transport);
    this.addresses = addressCalls(transport);
    this.drivers = driverCalls(transport);
    this.vehicles = vehicleCalls(transport);
    this.hubs = hubCalls(transport);
    this.channels = channelCalls(transport);
    this.keys = keyCalls(transport);
    this.audit = auditCalls(transport);
    this.openapi = (call) => transport.send({ method: 'GET', path: '/openapi.json' }, call);
  }
}
