// What one endpoint takes of the log: which events are owed to it, which were sent or left out by an earlier owner of its
// lease, and how long each is worth sending. Pure; a line belongs here if it decides that about an event that is read.

import type { Filter } from '../events/filter.ts';
import type { Instant } from '../ledger/command.ts';
import type { Endpoint } from './endpoint.schema.ts';
import { startOf } from './endpoint.ts';
import { FilterHistory, type SavedFilters } from './filter-history.ts';
import type { Message } from './lane.ts';
import { type LogItem, readItemTags } from './log-item.ts';
import type { Window } from './window.ts';
import { compileWorth } from './worth.ts';

/** What of an endpoint's settings decides it. */
type Wish = Filter & Pick<Endpoint, 'start_at' | 'worth_sending'>;

/** What an earlier owner of the lease has left. */
export interface SavedIntake {
  /** Events ahead of the cursor that are settled or parked. */
  settled: Set<number>;
  /** Events ahead of the cursor that are not sent, and named by no message. */
  left_out: Set<number>;
  /** Null: nobody has read for it yet. */
  filters: SavedFilters | null;
}

export class EndpointIntake {
  readonly filters: FilterHistory;
  readonly #window: Window<LogItem>;
  readonly #settled: Set<number>;
  readonly #leftOut: Set<number>;
  #start: Instant | null;
  #worthOf: ReturnType<typeof compileWorth>;

  constructor(window: Window<LogItem>, wish: Wish, saved: SavedIntake) {
    this.#window = window;
    this.#settled = saved.settled;
    this.#leftOut = saved.left_out;
    this.filters = new FilterHistory(saved.filters, wish);
    this.#start = startOf(wish);
    this.#worthOf = compileWorth(wish.worth_sending);
  }

  /** Other settings: they decide about what is read from now on. */
  change(wish: Wish): void {
    this.filters.change(wish, this.#window.readTo.sequence);
    this.#start = startOf(wish);
    this.#worthOf = compileWorth(wish.worth_sending);
  }

  /** One event of the log; `supersede` is told of a message that it makes outdated. */
  offer(item: LogItem, now: number, supersede: (older: Message<LogItem>) => void): void {
    const { row, place } = item;
    // What was sent was owed, whatever the filter says by now: the next one names it as its previous.
    if (this.#settled.delete(row.sequence)) this.#window.skipDelivered(place);
    else if (this.#leftOut.delete(row.sequence)) this.#window.skipLeftOut(place);
    else if (this.#isOwed(item)) this.#admit(item, now, supersede);
    else this.#window.skip(place);
  }

  #admit(item: LogItem, now: number, supersede: (older: Message<LogItem>) => void): void {
    const { row, place, topics } = item;
    const { type, data_id, job_id, sequence } = row;
    const worth = this.#worthOf({ type, topics, data_id, recorded_at: place.recorded_at });
    this.#window.offer(place, job_id ?? data_id, item, now, worth, (older) => {
      older.superseded_by = sequence;
      supersede(older);
    });
  }

  /** The filter in force when it was read first decides. */
  #isOwed(item: LogItem): boolean {
    const { row, place, topics } = item;
    if (this.#start !== null && place.recorded_at < this.#start) return false;
    const { type, channel_id } = row;
    return this.filters.fits(row.sequence, { type, topics, channel_id, readTags: () => readItemTags(item) });
  }
}
