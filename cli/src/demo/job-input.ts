// An order in the words of the API.

import type { JobInput } from '@waypost/sdk/jobs';
import type { Order } from './order.ts';
import type { ProofKind } from './step.ts';
import { CASH, pinOf } from './story.ts';

type Delivery = JobInput['deliveries'][number];
type Pickup = NonNullable<JobInput['pickups']>[number];
type Requirements = Delivery['proof_requirements'];

export interface JobFacts {
  proof: ProofKind;
  /** False: the shop knows the address but not where it is. */
  located: boolean;
  channel_id: string;
}

export function writeJob(order: Order, { proof, located, channel_id }: JobFacts): JobInput {
  const { delivery, recipient } = order;
  const window = { start: new Date(order.window.start).toISOString(), end: new Date(order.window.end).toISOString() };
  return {
    reference: order.reference,
    channel_id,
    priority: order.priority,
    ...(order.pickup === null ? {} : { pickups: [writePickup(order, order.pickup, window)] }),
    deliveries: [
      {
        service_window: window,
        address: {
          line1: delivery.line1,
          city: delivery.city,
          country: delivery.country,
          location: located ? delivery.place : null,
          precision: located ? delivery.precision : 'unlocated',
          access: delivery.access_notes === null ? null : { notes: delivery.access_notes },
          time_zone: delivery.time_zone,
        },
        contact: {
          name: recipient.name,
          phone: recipient.phone,
          contact_policy: { ways: ['sms'], language: recipient.language },
        },
        proof_requirements: { on_completion: askProof(order, proof), on_failure: {} },
        items: order.items.map((item) => ({ ...item, kind: 'parcel' })),
        ...(proof === 'cash' ? { cash_on_delivery: CASH } : {}),
        ...(proof === 'id_check' ? { minimum_age: 18 } : {}),
      },
    ],
    metadata: { source: 'demo' },
  };
}

function writePickup(
  order: Order,
  pickup: NonNullable<Order['pickup']>,
  window: { start: string; end: string },
): Pickup {
  const { city, country, time_zone } = order.delivery;
  return {
    service_window: { start: new Date(order.times.created).toISOString(), end: window.end },
    address: {
      name: pickup.name,
      kind: 'business',
      city,
      country,
      location: pickup.place,
      precision: 'entrance',
      access: null,
      time_zone,
    },
    contact: { name: pickup.name, contact_policy: { ways: [] } },
    proof_requirements: { on_completion: {}, on_failure: {} },
  };
}

function askProof(order: Order, kind: ProofKind): Requirements['on_completion'] {
  switch (kind) {
    case 'none':
      return {};
    case 'note':
      return { note: { level: 'required' } };
    case 'barcode':
      return { barcode: { level: 'required', values: order.items.slice(0, 1).map((item) => item.barcode) } };
    case 'pin':
      return { pin: { level: 'required', kind: 'supplied', value: pinOf(order) } };
    case 'id_check':
      return { id_check: { level: 'required', minimum_age: 18 } };
    case 'cash':
      return { cash: { level: 'required' } };
    case 'temperature':
      return { temperature: { level: 'required', min_c: 2, max_c: 8 } };
  }
}
