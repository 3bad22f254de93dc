// An order of the day as both sources of orders (a seeded day, a file) state it: what is to be moved, where, by whom
// and when the real or simulated driver did it. The plan makes timed steps of it.

export interface Place {
  lat: number;
  lng: number;
}

/** When things happen, in milliseconds since 1970. Each is at or after the one before it. */
export interface OrderTimes {
  created: number;
  assigned: number;
  picked_up: number;
  departed: number;
  arrived: number;
  completed: number;
}

export interface Order {
  reference: string;
  priority: 'urgent' | 'express' | 'standard' | 'economy';
  /** Where goods are taken; null: at the hub. */
  pickup: { name: string; place: Place } | null;
  delivery: {
    place: Place;
    precision: 'rooftop' | 'entrance' | 'street';
    line1: string;
    city: string;
    country: string;
    time_zone: string;
    access_notes: string | null;
  };
  recipient: { name: string; phone: string; language: string };
  window: { start: number; end: number };
  items: { name: string; quantity: number; weight_g: number; barcode: string }[];
  driver: number;
  times: OrderTimes;
}

export interface Day {
  /** For people: where the orders come from. */
  title: string;
  /** Where its clocks are. */
  time_zone: string;
  orders: Order[];
  drivers: number;
  starts: number;
  ends: number;
}

const EARTH_M_PER_DEGREE = 111_195;

/** Distance in metres, flat over a town. */
export function distanceM(from: Place, to: Place): number {
  const north = (to.lat - from.lat) * EARTH_M_PER_DEGREE;
  const east = (to.lng - from.lng) * EARTH_M_PER_DEGREE * Math.cos((from.lat * Math.PI) / 180);
  return Math.hypot(north, east);
}

/** The place that many metres north and east of another, with the digits that a phone gives. */
export function movePlace(from: Place, northM: number, eastM: number): Place {
  const round = (degrees: number): number => Math.round(degrees * 1e6) / 1e6;
  return {
    lat: round(from.lat + northM / EARTH_M_PER_DEGREE),
    lng: round(from.lng + eastM / (EARTH_M_PER_DEGREE * Math.cos((from.lat * Math.PI) / 180))),
  };
}

/** A day begins with its first order and ends with the last handover. */
export function makeDay(title: string, time_zone: string, orders: Order[], drivers: number): Day {
  return {
    title,
    time_zone,
    orders,
    drivers,
    starts: Math.min(...orders.map((order) => order.times.created)),
    ends: Math.max(...orders.map((order) => order.times.completed)),
  };
}
