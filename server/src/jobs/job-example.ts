// The example that the documentation shows: an order, and the job that the rules make of it. Nothing here is written
// by hand that a rule can compute, so that it cannot grow old. The order names nothing that a fresh installation lacks:
// its channel is the one that the keys of `./waypost env` are bound to.

import { newChannel } from '../channels/channel.ts';
import type { Moment, ReplyDraft } from '../ledger/command.ts';
import { openFingerprints } from '../ledger/fingerprint.ts';
import type { Prefix } from '../ledger/id.ts';
import { addressOf } from '../parties/address.ts';
import { createJob } from './create-job.ts';
import type { Job, JobInput, Live } from './job.schema.ts';

export const orderExample: JobInput = {
  reference: 'ORD-10293',
  priority: 'standard',
  deliveries: [
    {
      service_window: { start: '2026-11-21T13:00:00Z', end: '2026-11-21T15:00:00Z' },
      address: {
        line1: 'Storgatan 1',
        city: 'Göteborg',
        postal_code: '411 24',
        country: 'SE',
        location: { lat: 57.7066, lng: 11.9672 },
        precision: 'rooftop',
        access: { notes: 'Ring twice' },
      },
      contact: { name: 'A. Berg', phone: '+46701234567', contact_policy: { ways: ['sms'], language: 'sv' } },
      proof_requirements: {
        on_completion: { photo: { level: 'required' }, signature: { level: 'optional' } },
        on_failure: {},
      },
      items: [{ name: 'Parcel', quantity: 1, weight_g: 1200 }],
    },
  ],
};

const hubAddress = addressOf(
  {
    line1: 'Hamngatan 2',
    city: 'Göteborg',
    country: 'SE',
    location: { lat: 57.7065, lng: 11.967 },
    precision: 'rooftop',
    access: null,
  },
  null,
);

/** The same order as `GET /v1/jobs/{job_id}` answers it right after it was made. */
export function makeJobExample(): Job & { live: Live } {
  const now = '2026-11-21T09:12:44.103Z';
  let minted = 0;
  const mint = (prefix: Prefix) => `${prefix}_01kaj2w0d4f8tb3h5gk9mzq7x${'0123456789abcdef'[minted++] ?? 'z'}`;
  const moment: Moment = { now, mint };
  const decision = createJob(
    { order: orderExample, comparable: orderExample },
    {
      channel: newChannel('chn_01kaj2w0d4f8tb3h5gk9mzq7xe', 'Web shop', null, now),
      world: 'test',
      actor: { type: 'api_key', id: 'key_01kaj2w0d4f8tb3h5gk9mzq7xe' },
      authority: 'source',
      correlation_id: 'example',
      fingerprint: openFingerprints(new Uint8Array(32))('order', '', null),
      pin_key: new Uint8Array(32),
      holder: null,
      duplicates: undefined,
      customerOf: () => null,
      addressOf: () => null,
      hub: { id: 'hub_01kaj2w0d4f8tb3h5gk9mzq7xe', address: hubAddress },
      resolveContacts: (contacts) => ({ customer_ids: contacts.map(() => mint('cus')), puts: [], subjects: [] }),
      putCase: (exception) => {
        throw new Error(`the example opens a case: ${exception.code}`);
      },
    },
    moment,
  );
  if ('refusal' in decision) throw decision.refusal;
  const job = decision.events[0]?.document?.value as Job;
  return { ...job, live: liveIn(decision.reply) };
}

function liveIn(reply: ReplyDraft): Live {
  return (reply.body as { live: Live }).live;
}
