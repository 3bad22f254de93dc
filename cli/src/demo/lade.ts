// Reads real courier deliveries in the columns of LaDe-D (arXiv:2306.10675): accept and delivery, each with its time
// and place. A line belongs here if it knows that format. The file states no year, no courier and no person.

import type { Chance } from './chance.ts';
import { type Day, distanceM, makeDay, type Order, type Place } from './order.ts';
import { inventItems, inventName, inventPhone } from './words.ts';

const COLUMNS = [
  'accept_time',
  'accept_gps_lng',
  'accept_gps_lat',
  'delivery_time',
  'delivery_gps_lng',
  'delivery_gps_lat',
] as const;
/** The files are from China: one time zone, no summer time. */
const TIME_ZONE = 'Asia/Shanghai';
const UTC_OFFSET_MS = 8 * 3_600_000;
const MINUTE_MS = 60_000;
/** A courier on an electric tricycle, stops included. */
const SPEED_M_PER_S = 6;
const COURIER_ORDERS_MAX = 60;
const WINDOW_MS = 8 * 3_600_000;

export interface LadeRow {
  accepted: number;
  delivered: number;
  accept_place: Place;
  delivery_place: Place;
}

/** Throws with the number of the first line that is not in the format. `nowMs` gives the year: the latest one past. */
export function readLade(text: string, nowMs: number): LadeRow[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const header = (lines[0] ?? '').split(',');
  const columns = COLUMNS.map((name) => header.indexOf(name));
  const missing = COLUMNS.filter((_, index) => columns[index] === -1);
  if (missing.length > 0) throw new Error(`line 1: the columns ${missing.join(', ')} are missing (LaDe-D format)`);
  const rows: LadeRow[] = [];
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line === '') continue;
    const cells = line.split(',');
    const [accept_time, accept_lng, accept_lat, delivery_time, delivery_lng, delivery_lat] = columns.map(
      (column) => cells[column] ?? '',
    );
    rows.push({
      accepted: readTime(accept_time, index + 1),
      delivered: readTime(delivery_time, index + 1),
      accept_place: readPlace(accept_lat, accept_lng, index + 1),
      delivery_place: readPlace(delivery_lat, delivery_lng, index + 1),
    });
  }
  if (rows.length === 0) throw new Error('the file holds no deliveries');
  return rows.map((row) => datedRow(row, yearOf(rows, nowMs)));
}

/** The orders behind the rows: accepting is taking the goods, couriers are guessed from who can have been where. */
export function ladeDay(rows: readonly LadeRow[], chance: Chance, prefix: string, title: string): Day {
  const byDelivery = rows.filter((row) => row.delivered >= row.accepted).sort((a, b) => a.delivered - b.delivered);
  const couriers: Courier[] = [];
  const orders = byDelivery.map((row, index): Order => {
    const reference = `${prefix}${String(index + 1).padStart(5, '0')}`;
    const station = `Station ${row.accept_place.lng.toFixed(2)} ${row.accept_place.lat.toFixed(2)}`;
    const driver = assignCourier(couriers, row, station);
    const span = row.delivered - row.accepted;
    const arrived = row.delivered - Math.min(span, 2 * MINUTE_MS);
    const departed = arrived - Math.min(arrived - row.accepted, chance.between(4, 15) * MINUTE_MS);
    return {
      reference,
      priority: chance.weigh({ express: 15, standard: 85 }),
      pickup: { name: station, place: row.accept_place },
      delivery: {
        place: row.delivery_place,
        precision: 'entrance',
        line1: `Building ${chance.between(1, 60)}, unit ${chance.between(1, 6)}`,
        city: 'Yantai',
        country: 'CN',
        time_zone: TIME_ZONE,
        access_notes: null,
      },
      recipient: { name: inventName(chance), phone: inventPhone(chance), language: 'zh' },
      window: { start: row.accepted, end: row.accepted + WINDOW_MS },
      items: inventItems(chance, reference),
      driver,
      times: {
        created: row.accepted - 20 * MINUTE_MS,
        assigned: row.accepted - 5 * MINUTE_MS,
        picked_up: row.accepted,
        departed,
        arrived,
        completed: row.delivered,
      },
    };
  });
  return makeDay(`${orders.length} ${title}`, TIME_ZONE, orders, couriers.length);
}

interface Courier {
  station: string;
  place: Place;
  free: number;
  orders: number;
}

/** The nearest courier of the station who can have come from his last door in time, else one more. */
function assignCourier(couriers: Courier[], row: LadeRow, station: string): number {
  let best = -1;
  let bestM = Number.POSITIVE_INFINITY;
  for (const [index, courier] of couriers.entries()) {
    if (courier.station !== station || courier.orders >= COURIER_ORDERS_MAX) continue;
    const m = distanceM(courier.place, row.delivery_place);
    const reachable = row.delivered - courier.free >= (m / SPEED_M_PER_S) * 1_000;
    if (reachable && m < bestM) {
      best = index;
      bestM = m;
    }
  }
  const courier = couriers[best];
  if (courier === undefined) {
    couriers.push({ station, place: row.delivery_place, free: row.delivered, orders: 1 });
    return couriers.length - 1;
  }
  courier.place = row.delivery_place;
  courier.free = row.delivered;
  courier.orders += 1;
  return best;
}

/** `08-14 15:01:00` as milliseconds of the year 2000 in UTC; the year comes later. */
function readTime(text: string | undefined, line: number): number {
  const parts = /^(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/.exec(text ?? '');
  const at =
    parts === null ? Number.NaN : Date.parse(`2000-${parts[1]}-${parts[2]}T${parts[3]}:${parts[4]}:${parts[5]}Z`);
  if (Number.isNaN(at)) throw new Error(`line ${line}: ${JSON.stringify(text)} is not a time like 08-14 15:01:00`);
  return at;
}

function readPlace(lat: string | undefined, lng: string | undefined, line: number): Place {
  const place = { lat: Number(lat || Number.NaN), lng: Number(lng || Number.NaN) };
  if (!(Math.abs(place.lat) <= 90 && Math.abs(place.lng) <= 180)) {
    throw new Error(`line ${line}: ${JSON.stringify([lat, lng])} is not a place on the earth (latitude, longitude)`);
  }
  return place;
}

/** The latest year in which the whole file lies in the past: reports of the future would be a clock gone wrong. */
function yearOf(rows: readonly LadeRow[], nowMs: number): number {
  const last = rows.reduce((latest, row) => (row.delivered > latest.delivered ? row : latest));
  const year = new Date(nowMs).getUTCFullYear();
  return datedRow(last, year).delivered < nowMs ? year : year - 1;
}

function datedRow(row: LadeRow, year: number): LadeRow {
  const dated = (at: number): number => new Date(at).setUTCFullYear(year) - UTC_OFFSET_MS;
  return { ...row, accepted: dated(row.accepted), delivered: dated(row.delivered) };
}
