// A plausible day of orders in a made-up town, drawn from a seed: people order from breakfast to afternoon, each driver
// serves a slice of the town, and what he does takes the time that driving and ringing take.

import type { Chance } from './chance.ts';
import { type Day, distanceM, makeDay, movePlace, type Order, type Place } from './order.ts';
import { inventAccessNotes, inventItems, inventName, inventPhone, inventStreet } from './words.ts';

export const TOWN = {
  name: 'Hamnvik',
  country: 'SE',
  time_zone: 'Europe/Stockholm',
  centre: { lat: 57.7066, lng: 11.9672 },
};

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const ORDERS_PER_DRIVER = 24;
const TOWN_RADIUS_M = 6_000;
const SPEED_M_PER_S = 7;
/** Streets are not straight lines. */
const DETOUR = 1.35;
const FIRST_ORDER_HOUR = 5;
const LAST_ORDER_HOUR = 15;
const SHARE_FROM_SHOPS = 0.25;

/** `midnightMs` is the day's midnight in the town. */
export function drawDay(chance: Chance, ordersCount: number, midnightMs: number, prefix: string): Day {
  const drivers = Math.max(2, Math.ceil(ordersCount / ORDERS_PER_DRIVER));
  const shops = Array.from({ length: 5 }, () => ({ name: `${inventName(chance)} Shop`, place: drawPlace(chance) }));
  const placed = Array.from(
    { length: ordersCount },
    () => midnightMs + Math.round((FIRST_ORDER_HOUR + chance.next() * (LAST_ORDER_HOUR - FIRST_ORDER_HOUR)) * HOUR_MS),
  ).sort((a, b) => a - b);

  const orders = placed.map((created, index): Order => {
    const reference = `${prefix}${String(index + 1).padStart(5, '0')}`;
    const place = drawPlace(chance);
    const start = Math.ceil((created + HOUR_MS) / HOUR_MS) * HOUR_MS;
    const never = created;
    return {
      reference,
      priority: chance.weigh({ urgent: 4, express: 16, standard: 65, economy: 15 }),
      pickup: chance.next() < SHARE_FROM_SHOPS ? chance.pick(shops) : null,
      delivery: {
        place,
        precision: chance.weigh({ rooftop: 70, entrance: 20, street: 10 }),
        line1: inventStreet(chance),
        city: TOWN.name,
        country: TOWN.country,
        time_zone: TOWN.time_zone,
        access_notes: inventAccessNotes(chance),
      },
      recipient: { name: inventName(chance), phone: inventPhone(chance), language: chance.weigh({ sv: 70, en: 30 }) },
      window: { start, end: start + 2 * HOUR_MS },
      items: inventItems(chance, reference),
      driver: sliceOf(place, drivers),
      times: { created, assigned: never, picked_up: never, departed: never, arrived: never, completed: never },
    };
  });
  for (let driver = 0; driver < drivers; driver++) {
    drive(
      orders.filter((order) => order.driver === driver),
      chance.fork(`driver ${driver}`),
    );
  }
  return makeDay(`a seeded day of ${ordersCount} orders in ${TOWN.name}`, TOWN.time_zone, orders, drivers);
}

function drawPlace(chance: Chance): Place {
  return movePlace(TOWN.centre, chance.bell() * TOWN_RADIUS_M, chance.bell() * TOWN_RADIUS_M);
}

/** Each driver has a slice of the town, like a cake. */
function sliceOf(place: Place, slices: number): number {
  const angle = Math.atan2(place.lng - TOWN.centre.lng, (place.lat - TOWN.centre.lat) * 1.9);
  return Math.min(slices - 1, Math.floor(((angle + Math.PI) / (2 * Math.PI)) * slices));
}

/** One driver does his orders one after another, earliest window first; writes their times. */
function drive(orders: Order[], chance: Chance): void {
  let at = TOWN.centre;
  let clock = 0;
  const travelMs = (from: Place, to: Place): number =>
    Math.round(((distanceM(from, to) * DETOUR) / SPEED_M_PER_S) * (1 + 0.3 * chance.bell())) * 1_000 + MINUTE_MS;

  for (const order of [...orders].sort((a, b) => a.window.start - b.window.start)) {
    const assigned = order.times.created + chance.between(2, 12) * MINUTE_MS;
    const from = order.pickup?.place ?? TOWN.centre;
    const picked_up = Math.max(clock, assigned) + (order.pickup === null ? 0 : travelMs(at, from)) + MINUTE_MS;
    const leg = travelMs(order.pickup === null ? at : from, order.delivery.place);
    // Nobody rings before the window opens: he leaves later instead.
    const departed = Math.max(picked_up, order.window.start - leg);
    const arrived = departed + leg;
    const completed = arrived + chance.between(60, 420) * 1_000;
    order.times = { created: order.times.created, assigned, picked_up, departed, arrived, completed };
    clock = completed;
    at = order.delivery.place;
  }
}
