// Events, as webhooks, pulls and streams carry them alike.

import type { Event, GetAddressReply, GetCustomerReply, GetDriverReply, GetJobReply } from './api.gen.ts';

/** A job as events carry it: `live` moves without an event. */
export type EventJob = Omit<GetJobReply, 'live'>;

/** `type` says which object changed, `topics` what happened by name, `data` carries the whole object under its name. */
export interface WaypostEvent extends Omit<Event, 'data'> {
  data: Event['data'] & {
    job?: EventJob;
    customer?: GetCustomerReply;
    address?: GetAddressReply;
    driver?: GetDriverReply;
  };
}

/** Hash and chain of an event: what a copy of it is verified by. */
export type { EventProof } from './api.gen.ts';

/** As it is pulled: `previous` is the sequence of the event before it that the same filters match. */
export interface PulledEvent extends WaypostEvent {
  previous: number | null;
}
