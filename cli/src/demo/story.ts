// What happens to each order of the day: mostly what should, and in a seeded mix what also does. Pure: orders and
// chance in, timed steps out.

import type { Chance } from './chance.ts';
import { type Day, movePlace, type Order } from './order.ts';
import type { Proof, ProofKind, Step, TaskRole, TransitionStep } from './step.ts';

const MINUTE_MS = 60_000;

/** Story → how often, in percent. */
const STORIES = {
  as_planned: 46,
  only_the_end_reported: 6,
  phone_without_signal: 6,
  reported_twice: 4,
  reported_late: 3,
  delayed_by_traffic: 5,
  nobody_home_then_delivered: 8,
  refused_and_returned: 4,
  partly_rejected: 3,
  given_to_another_driver: 3,
  priority_changed: 3,
  cancelled_in_time: 2,
  withdrawn: 1,
  given_up: 1,
  corrected_later: 2,
  address_found_later: 2,
  delivered_after_cancel: 1,
} as const satisfies Record<string, number>;
export type Story = keyof typeof STORIES;
export const storyNames = Object.keys(STORIES) as readonly Story[];

const PROOFS = { none: 35, note: 10, barcode: 25, pin: 15, id_check: 5, cash: 5, temperature: 5 } as const;
const FAILURES = ['recipient_unavailable', 'access_denied', 'premises_closed', 'recipient_unreachable'] as const;

export interface Plan {
  steps: Step[];
  /** By order: what is asked for at the door, and what happens. */
  proofs: ProofKind[];
  stories: Story[];
}

/** All steps of the day in the order of their time; those of one order keep theirs. */
export function planDay(day: Day, chance: Chance): Plan {
  const proofs = day.orders.map(() => chance.weigh(PROOFS));
  const stories = day.orders.map(() => chance.weigh(STORIES));
  const steps = day.orders.flatMap((order, index) => {
    const told = tellStory(order, {
      story: stories[index] ?? 'as_planned',
      proof: proofs[index] ?? 'none',
      chance: chance.fork(order.reference),
      drivers: day.drivers,
    });
    return told.map((step): Step => ({ ...step, order: index }));
  });
  return { steps: steps.sort((a, b) => a.at - b.at), proofs, stories };
}

export interface Telling {
  story: Story;
  proof: ProofKind;
  chance: Chance;
  drivers: number;
}
type Told = Step extends infer S ? (S extends Step ? Omit<S, 'order'> : never) : never;

/** The steps of one order, each at or after the one before. */
export function tellStory(order: Order, telling: Telling): Told[] {
  const { times } = order;
  const told = tellers[telling.story](order, telling);
  let latest = times.created;
  for (const step of told) {
    latest = Math.max(latest, step.at);
    step.at = latest;
  }
  return told;
}

type Teller = (order: Order, telling: Telling) => Told[];

const tellers: Record<Story, Teller> = {
  as_planned: (order, telling) => [...begin(order), ...pickUp(order), ...deliver(order, telling)],

  only_the_end_reported: (order, telling) => [
    ...begin(order),
    ...pickUp(order).slice(-1),
    ...deliver(order, telling).slice(-1),
  ],

  phone_without_signal: (order, telling) => {
    const backAt = order.times.completed + telling.chance.between(20, 90) * MINUTE_MS;
    const silent = [...pickUp(order), ...deliver(order, telling)];
    return [...begin(order), ...silent.map((step): Told => ({ ...step, at: backAt }))];
  },

  reported_twice: (order, telling) => [
    ...begin(order),
    ...pickUp(order),
    ...deliver(order, telling).map((step): Told => ({ ...step, twice: true })),
  ],

  reported_late: (order, telling) => {
    const [departed, arrived, completed] = deliver(order, telling);
    if (departed === undefined || arrived === undefined || completed === undefined) return [];
    const late: Told = { ...arrived, at: completed.at + MINUTE_MS };
    return [...begin(order), ...pickUp(order), departed, completed, late];
  },

  delayed_by_traffic: (order, telling) => {
    const [departed, ...rest] = deliver(order, telling);
    if (departed === undefined) return [];
    const jam = (order.times.departed + order.times.arrived) / 2;
    return [
      ...begin(order),
      ...pickUp(order),
      departed,
      report(order, jam, 'delivery', {
        to: 'exception',
        reason_code: 'traffic_delay',
        client_event_id: `${order.reference}/jam`,
      }),
      { at: jam, does: 'acknowledge' },
      ...rest,
    ];
  },

  nobody_home_then_delivered: (order, telling) => [
    ...begin(order),
    ...pickUp(order),
    ...failVisit(order, telling),
    { at: failedAt(order) + 2 * MINUTE_MS, does: 'acknowledge' },
    {
      at: failedAt(order) + 5 * MINUTE_MS,
      does: 'resolve',
      body: { resolution: 'retry', note: 'The recipient is back soon' },
    },
    ...deliver(order, telling),
  ],

  refused_and_returned: (order, telling) => [
    ...begin(order),
    ...pickUp(order),
    ...failVisit(order, telling, 'refused_by_recipient'),
    {
      at: failedAt(order) + 5 * MINUTE_MS,
      does: 'resolve',
      body: { resolution: 'return', note: 'Back to the sender' },
    },
    ...bringBack(order),
  ],

  given_up: (order, telling) => [
    ...begin(order),
    ...pickUp(order),
    ...failVisit(order, telling, 'address_not_found'),
    {
      at: failedAt(order) + 30 * MINUTE_MS,
      does: 'resolve',
      body: { resolution: 'fail', note: 'Nobody knows the place' },
    },
    ...bringBack(order),
  ],

  corrected_later: (order, telling) => [
    ...begin(order),
    ...pickUp(order),
    ...deliver(order, telling),
    request(order.times.completed + 60 * MINUTE_MS, 'delivery', null, {
      to: 'corrected',
      outcome: 'delivered_to_reception',
      note: 'The reception called',
    }),
  ],

  partly_rejected: (order, telling) => {
    const [completed, ...before] = deliver(order, telling).reverse();
    if (completed === undefined) return [];
    const rejected = { reason_code: 'damaged', remainder: 'write_off' } as const;
    return [...begin(order), ...pickUp(order), ...before.reverse(), { ...completed, rejected }];
  },

  given_to_another_driver: (order, telling) => {
    const first = (order.driver + 1) % telling.drivers;
    const [created, assigned] = begin(order);
    const handed = order.times.assigned + MINUTE_MS;
    return [
      created,
      { ...assigned, driver: first } as Told,
      request(handed, null, null, { to: 'unassigned' }),
      { ...assigned, at: handed } as Told,
      ...pickUp(order),
      ...deliver(order, telling),
    ];
  },

  priority_changed: (order, telling) => {
    const [created, assigned] = begin(order);
    const priority = order.priority === 'urgent' ? 'express' : 'urgent';
    const edit: Told = { at: order.times.created + MINUTE_MS, does: 'edit', body: { priority } };
    return [created, edit, assigned, ...pickUp(order), ...deliver(order, telling)];
  },

  cancelled_in_time: (order) => [
    ...begin(order),
    request(order.times.assigned + MINUTE_MS, null, null, { to: 'cancelled', reason_code: 'cancelled_by_recipient' }),
  ],

  withdrawn: (order) => [begin(order)[0], { at: order.times.created + MINUTE_MS, does: 'delete' }],

  address_found_later: (order, telling) => {
    const [created, assigned] = begin(order);
    const note = 'Asked the recipient';
    const found: Told = {
      at: order.times.created + MINUTE_MS,
      does: 'resolve',
      body: { resolution: 'correct_address', note, location: order.delivery.place },
    };
    return [created, found, assigned, ...pickUp(order), ...deliver(order, telling)];
  },

  delivered_after_cancel: (order, telling) => [
    ...begin(order),
    request(order.times.assigned + MINUTE_MS, null, null, { to: 'cancelled', reason_code: 'cancelled_by_shipper' }),
    ...deliver(order, telling).slice(-1),
    {
      at: order.times.completed + 10 * MINUTE_MS,
      does: 'resolve',
      body: { resolution: telling.chance.weigh({ adopt: 70, keep: 30 }), note: 'Asked the driver' },
    },
  ],
};

/** Ordered and given to a driver. Taking the promise on is the channel's rule, not a step. */
function begin(order: Order): [Told, Told] {
  const { created, assigned } = order.times;
  return [{ at: created, does: 'create' }, request(assigned, null, order.driver, { to: 'assigned' })];
}

/** At the hub nothing is reported: setting out from there completes that pickup. */
function pickUp(order: Order): TransitionTold[] {
  if (order.pickup === null) return [];
  const { assigned, picked_up } = order.times;
  const id = (step: number): string => `${order.reference}/pickup/${step}`;
  return [
    report(order, assigned, 'pickup', { to: 'en_route', client_event_id: id(1) }),
    report(order, (assigned + picked_up) / 2, 'pickup', { to: 'arrived', client_event_id: id(2) }),
    report(order, picked_up, 'pickup', { to: 'completed', outcome: 'picked_up_from_person', client_event_id: id(3) }),
  ];
}

function deliver(order: Order, telling: Telling): TransitionTold[] {
  const { departed, arrived, completed } = order.times;
  const id = (step: number): string => `${order.reference}/delivery/${step}`;
  const proof = captureProof(order, telling.proof);
  return [
    report(order, departed, 'delivery', { to: 'en_route', client_event_id: id(1) }),
    report(order, arrived, 'delivery', {
      to: 'arrived',
      client_event_id: id(2),
      location: doorstep(order, telling.chance),
    }),
    report(order, completed, 'delivery', {
      to: 'completed',
      outcome: telling.chance.weigh({
        delivered_to_recipient: 60,
        delivered_to_household: 15,
        delivered_to_neighbour: 10,
        delivered_to_safe_place: 15,
      }),
      location: doorstep(order, telling.chance),
      client_event_id: id(3),
      ...(proof === null ? {} : { proof: [proof] }),
    }),
  ];
}

/** The first try fails half-way between picking up and setting out for good. */
function failedAt(order: Order): number {
  return order.times.picked_up + (order.times.departed - order.times.picked_up) / 2;
}

function failVisit(order: Order, telling: Telling, reason?: string): TransitionTold[] {
  const failed = failedAt(order);
  const id = (step: number): string => `${order.reference}/visit-1/${step}`;
  return [
    report(order, (order.times.picked_up + failed) / 2, 'delivery', { to: 'en_route', client_event_id: id(1) }),
    report(order, failed, 'delivery', {
      to: 'failed',
      reason_code: reason ?? telling.chance.pick(FAILURES),
      note: 'Rang and waited',
      location: doorstep(order, telling.chance),
      client_event_id: id(2),
    }),
  ];
}

/** Goods that could not be handed over go back to where they came from. */
function bringBack(order: Order): TransitionTold[] {
  const { departed, arrived, completed } = order.times;
  const id = (step: number): string => `${order.reference}/return/${step}`;
  const outcome = order.pickup === null ? 'returned_to_hub' : 'returned_to_shipper';
  return [
    report(order, departed, 'return', { to: 'en_route', client_event_id: id(1) }),
    report(order, arrived, 'return', { to: 'arrived', client_event_id: id(2) }),
    report(order, completed, 'return', { to: 'completed', outcome, client_event_id: id(3) }),
  ];
}

type TransitionTold = { at: number } & TransitionStep;

function request(
  at: number,
  task: TaskRole | null,
  driver: number | null,
  body: TransitionStep['body'],
): TransitionTold {
  return { at, does: 'transition', task, driver, occurred: at, body };
}

/** What a driver's phone says: it has happened, so it is never refused. */
function report(order: Order, at: number, task: TaskRole, body: TransitionStep['body']): TransitionTold {
  return { at, does: 'transition', task, driver: order.driver, occurred: at, body: { ...body, report: true } };
}

/** Phones are some metres off. */
function doorstep(order: Order, chance: Chance): { lat: number; lng: number; accuracy_m: number } {
  const accuracy_m = chance.between(4, 25);
  return { ...movePlace(order.delivery.place, chance.bell() * accuracy_m, chance.bell() * accuracy_m), accuracy_m };
}

/** The PIN that the recipient of an order was given. */
export function pinOf(order: Order): string {
  return order.reference.replaceAll(/\D/g, '').padStart(4, '0').slice(-4);
}

export const CASH = { amount_minor: 24_900, currency: 'SEK' } as const;

function captureProof(order: Order, kind: ProofKind): Proof | null {
  const captured_at = new Date(order.times.completed - 5_000).toISOString();
  switch (kind) {
    case 'none':
      return null;
    case 'note':
      return { kind, captured_at, note: 'Handed over at the door' };
    case 'barcode':
      return { kind, captured_at, code: { symbology: 'code128', value: order.items[0]?.barcode ?? order.reference } };
    case 'pin':
      return { kind, captured_at, code: { value: pinOf(order) } };
    case 'id_check':
      return { kind, captured_at, id_check: { minimum_age: 18, verified: true, document_kind: 'identity_card' } };
    case 'cash':
      return { kind, captured_at, cash: { ...CASH, method: 'cash' } };
    case 'temperature':
      return { kind, captured_at, reading: { celsius: 4.5 } };
  }
}
