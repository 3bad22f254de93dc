// The order that load is made of: about 1 KB, with a reference of its own each time. Only the reference changes, so
// that the client spends its time on sending.

import { requestText } from './load.ts';

const body = JSON.stringify({
  reference: '@@',
  priority: 'standard',
  deliveries: [
    {
      service_window: { start: '2030-11-21T13:00:00Z', end: '2030-11-21T15:00:00Z' },
      address: {
        kind: 'home',
        line1: 'Storgatan 1',
        line2: 'Second floor',
        city: 'Goteborg',
        postal_code: '411 24',
        country: 'SE',
        location: { lat: 57.7066, lng: 11.9672 },
        precision: 'rooftop',
        access: { notes: 'Ring twice, then wait at the side entrance; the dog is friendly.' },
      },
      contact: {
        name: 'A. Berg',
        phone: '+46701234567',
        email: 'a.berg@example.com',
        contact_policy: { ways: ['sms'], language: 'sv' },
      },
      proof_requirements: { on_completion: { note: { level: 'optional' } }, on_failure: {} },
      instructions: 'Leave it with the neighbour on the left if nobody opens; do not bend.',
      items: [
        { name: 'Parcel', sku: 'SKU-1001', quantity: 1, weight_g: 1200 },
        { name: 'Letter', sku: 'SKU-2002', quantity: 2, weight_g: 80 },
      ],
    },
  ],
  metadata: { shop: 'north', basket: 'c0ffee', campaign: 'autumn' },
});
const [before = '', after = ''] = body.split('@@');

export const orderBytes = body.length;

/** Who orders: a key and the channel that it orders through. */
export interface Source {
  test_key: string;
  channel_id: string;
}

/** The JSON of an order with this reference. */
export function orderInput({ channel_id }: Source, reference: string): string {
  return `${before}${reference}","channel_id":"${channel_id}${after}`;
}

/** A whole create request: `n` makes reference and key its own. */
export function createRequest(source: Source, run: string, n: number): string {
  const reference = `${run}-${n}`;
  const headers = {
    authorization: `Bearer ${source.test_key}`,
    'content-type': 'application/json',
    'idempotency-key': reference,
  };
  return requestText('POST', '/v1/jobs', headers, orderInput(source, reference));
}
