// One replay being sent: a second cursor into the log beside the live one of its endpoint, with a window and a pace of its
// own. It reads what comes next, says what may go out, and counts what came of it. What is sent and how answers are taken
// is the endpoint's (endpoint.loop.ts).

import type { LogCursor } from '../events/log.store.ts';
import type { Message, Next } from './lane.ts';
import type { LogItem } from './log-item.ts';
import { newPace, noteSent, type Pace, room, roomAt, soonerOf } from './pace.ts';
import type { ReplayPlan, ReplayRequest } from './replay.schema.ts';
import type { ReplayUpdate, SavedReplayPlace } from './replay.store.ts';
import type { ReplayBlock, ReplayHead } from './replay-log.store.ts';
import { type Ordering, Window } from './window.ts';

/** Documents in memory that wait to be sent, and their bytes. */
const DOCUMENTS_MAX = 128;
const DOCUMENTS_BYTES_MAX = 8_388_608;
/** With so few left more are read. */
const DOCUMENTS_LOW = 64;
/** Events that are settled but lie ahead of the cursor. More than live: what fails holds the cursor for minutes. */
const AHEAD_MAX = 50_000;
/** Jobs of which it is remembered what was sent live of them, before those are forgotten that the log tells of. */
const LIVE_KEPT_MAX = 20_000;
const RETRY_MS = 500;
/** The endpoint's own limits hold as well; what a replay is limited by itself is its rate. */
const WIDTH_MAX = Number.MAX_SAFE_INTEGER;

/** What a replay needs of who runs it. */
export interface ReplayDesk {
  world_id: number;
  now(): number;
  /** The next events of the replay, or of its closing. */
  readBlock(after: LogCursor, previous: number | null | undefined): Promise<ReplayBlock>;
  /** `live`: how far everything is settled that is sent live, by now. */
  readClosing(after: LogCursor, closing_to: LogCursor, live: LogCursor): Promise<ReplayBlock>;
  readItems(heads: readonly ReplayHead[]): Promise<LogItem[]>;
  /** How far everything is settled that is sent live. */
  livePlace(): LogCursor;
  /** What was delivered live ahead of that before this replay was begun here, the newest of each job. */
  readAhead(): Promise<readonly { job_id: string; sequence: number }[]>;
  ordering(): Ordering;
  /** False while nothing may go out: then nothing is read either. */
  mayRead(): boolean;
  /** There is something to send. */
  ready(): void;
  /** There is something to write down. */
  changed(): void;
  /** Everything is sent. */
  completed(result: NonNullable<ReplayRequest['result']>): Promise<void>;
  onFault(error: unknown): void;
}

export class ReplayRun {
  readonly id: string;
  readonly plan: ReplayPlan;
  window: Window<LogItem>;
  isClosed = false;
  /** Written down since it last changed. */
  isSaved = true;
  readonly #desk: ReplayDesk;
  readonly #pace: Pace;
  readonly #letters = new Map<number, string>();
  /** The newest that was delivered live of each job, ahead of the live cursor or since it was last looked at. */
  readonly #live = new Map<string, number>();
  /** The newest of all jobs. */
  #newestLive = 0;
  /** The live cursor has to pass this one before the closing begins; null: not all is sent. */
  #closesAfter: number | null = null;
  #knowsAhead = false;
  #settled: Set<number>;
  #phase: 'events' | 'closing';
  #closingTo: LogCursor | null;
  #delivered: number;
  #failed: number;
  #closed: number;
  readonly #startedAt: string;
  /** Heads that were found and not read yet, and the place after the last of them. */
  #heads: ReplayHead[] = [];
  #place: LogCursor;
  #previous: number | null | undefined = undefined;
  #isReading = false;
  #isAsked = false;
  #isEnding = false;

  constructor(id: string, plan: ReplayPlan, saved: SavedReplayPlace | null, settled: Set<number>, desk: ReplayDesk) {
    this.id = id;
    this.plan = plan;
    this.#desk = desk;
    this.#settled = settled;
    this.#phase = saved?.phase ?? 'events';
    this.#place = saved === null ? plan.from : { sequence: saved.sequence, recorded_at: saved.recorded_at };
    this.#closingTo = saved?.closing_to == null ? null : { ...this.#place, sequence: saved.closing_to };
    this.#delivered = saved?.delivered ?? 0;
    this.#failed = saved?.failed ?? 0;
    this.#closed = saved?.closed ?? 0;
    this.#startedAt = saved?.started_at ?? new Date(desk.now()).toISOString();
    this.#pace = newPace(WIDTH_MAX, plan.rate_per_s, desk.now());
    this.window = this.#openWindow();
  }

  /** The next message that it may send. */
  take(now: number): Next<LogItem> | null {
    if (this.isClosed || room(this.#pace, 0, now) <= 0) return null;
    const next = this.window.take(now);
    if (next === null) return null;
    noteSent(this.#pace);
    return { ...next, missing: null };
  }

  /** When it may have something to send without anything happening. */
  wakeAt(now: number): number | null {
    if (this.isClosed) return null;
    const isThrottled = this.window.waiting > 0 && room(this.#pace, 0, now) <= 0;
    return soonerOf(this.window.wakeAt(), isThrottled ? roomAt(this.#pace, 0, now) : null);
  }

  /** The dead letter that is settled when this event is delivered. */
  letterOf(message: Message<LogItem>): string | null {
    return this.#letters.get(message.sequence) ?? null;
  }

  /** It was delivered or given up. */
  settle(message: Message<LogItem>, isDelivered: boolean): void {
    this.#letters.delete(message.sequence);
    if (this.#phase === 'closing') this.#closed++;
    else if (isDelivered) this.#delivered++;
    else this.#failed++;
    this.#changed();
  }

  /** Reads on as long as there is room. */
  feed(): void {
    this.#isAsked = true;
    if (this.#isReading || this.isClosed) return;
    this.#isReading = true;
    void this.#readAll();
  }

  async #readAll(): Promise<void> {
    // What is settled while this reads asks again: the last of them ends the replay.
    while (this.#isAsked) {
      this.#isAsked = false;
      try {
        if (!this.#knowsAhead) await this.#learnAhead();
        await this.#read();
      } catch (error) {
        this.#desk.onFault(error);
        await new Promise((done) => setTimeout(done, RETRY_MS));
        this.#isAsked = true;
      }
    }
    this.#isReading = false;
  }

  async #learnAhead(): Promise<void> {
    for (const { job_id, sequence } of await this.#desk.readAhead()) this.noteLive(job_id, sequence);
    this.#knowsAhead = true;
  }

  /** It was delivered live: what is older does not close its job any more. */
  noteLive(job_id: string, sequence: number): void {
    this.#newestLive = Math.max(this.#newestLive, sequence);
    if ((this.#live.get(job_id) ?? 0) < sequence) this.#live.set(job_id, sequence);
    if (this.#phase !== 'closing') {
      if (this.#live.size > LIVE_KEPT_MAX) this.#forgetLive(this.#desk.livePlace());
      return;
    }
    this.window.drop((message) => message.event?.row.job_id === job_id && message.sequence < sequence);
  }

  /** What is to be written down of it. */
  readUpdate(endpoint_id: string): ReplayUpdate {
    this.isSaved = true;
    const { sequence, recorded_at } = this.window.cursor();
    const underWay = this.window.tried();
    return {
      world_id: this.#desk.world_id,
      endpoint_id,
      replay_id: this.id,
      phase: this.#phase,
      sequence,
      recorded_at,
      closing_to: this.#closingTo?.sequence ?? null,
      sent: this.#delivered + this.#failed + (this.#phase === 'events' ? underWay : 0),
      delivered: this.#delivered,
      failed: this.#failed,
      closed: this.#closed,
      started_at: this.#startedAt,
      saved_at: new Date(this.#desk.now()).toISOString(),
    };
  }

  get #isHungry(): boolean {
    const { window } = this;
    return this.#desk.mayRead() && window.waiting <= DOCUMENTS_LOW && window.ahead < AHEAD_MAX;
  }

  get #end(): LogCursor {
    return this.#phase === 'events' ? this.plan.end : (this.#closingTo ?? this.plan.end);
  }

  async #read(): Promise<void> {
    while (!this.isClosed && this.#isHungry) {
      const isRead = this.#heads.length === 0 && this.#place.sequence >= this.#end.sequence;
      if (isRead && !this.#goOn()) return;
      if (isRead) continue;
      if (this.#heads.length === 0) await this.#readHeads();
      await this.#readDocuments();
      if (this.window.waiting > 0) this.#desk.ready();
    }
  }

  async #readHeads(): Promise<void> {
    const block =
      this.#phase === 'events' ? await this.#desk.readBlock(this.#place, this.#previous) : await this.#readClosing();
    this.#previous = block.previous;
    this.#place = block.place;
    this.#heads = block.heads;
  }

  /** What was delivered live up to the live cursor, the block takes into account; of what lies ahead it is remembered here. */
  #readClosing(): Promise<ReplayBlock> {
    const live = this.#desk.livePlace();
    this.#forgetLive(live);
    return this.#desk.readClosing(this.#place, this.#end, live);
  }

  #forgetLive(upTo: LogCursor): void {
    for (const [job_id, sequence] of this.#live) if (sequence <= upTo.sequence) this.#live.delete(job_id);
  }

  async #readDocuments(): Promise<void> {
    let bytes = 0;
    let count = 0;
    while (count < this.#heads.length && count < DOCUMENTS_MAX && bytes < DOCUMENTS_BYTES_MAX)
      bytes += this.#heads[count++]?.head.bytes ?? 0;
    const some = this.#heads.slice(0, count);
    const items = new Map((await this.#desk.readItems(some)).map((item) => [item.place.sequence, item]));
    for (const { head, previous, dead_letter_id } of some) this.#offer(head.sequence, items, previous, dead_letter_id);
    this.#heads = this.#heads.slice(count);
    if (this.#heads.length === 0) this.window.skip(this.#place);
    this.#changed();
  }

  #offer(sequence: number, items: Map<number, LogItem>, previous: number | null, dead_letter_id: string | null): void {
    const item = items.get(sequence);
    // The log has lost it since.
    if (item === undefined) return;
    const { row, place } = item;
    const isOutdated = this.#phase === 'closing' && (this.#live.get(row.job_id ?? '') ?? 0) > sequence;
    if (this.#settled.delete(sequence) || isOutdated) {
      this.window.skip(place);
      return;
    }
    if (dead_letter_id !== null) this.#letters.set(sequence, dead_letter_id);
    const { revision } = this.plan;
    this.window.replay(place, row.job_id ?? row.data_id, item, this.#desk.now(), {
      replay: this.id,
      revision,
      previous,
    });
  }

  /** Everything is read: once it is settled too, the closing begins (true) or the replay is over. */
  #goOn(): boolean {
    if (this.window.cursor().sequence < this.#end.sequence || this.#isEnding) return false;
    if (this.#phase === 'closing') this.#complete();
    else if (this.#isLiveBehind) return false;
    else this.#close();
    return !this.#isEnding;
  }

  /**
   * Jobs are closed by what the log holds up to the live cursor: what was delivered ahead of that by the time when all is
   * sent has to be behind it first. It gets there within a second or so: what holds the cursor for longer is parked.
   */
  get #isLiveBehind(): boolean {
    this.#closesAfter ??= this.#newestLive;
    return this.#desk.livePlace().sequence < this.#closesAfter;
  }

  #close(): void {
    this.#phase = 'closing';
    this.#closingTo = this.#desk.livePlace();
    // Without a choice of its own everything up to its end was sent: what closes it lies behind that.
    const { types, job_ids, dead_letters } = this.plan;
    this.#place = types === null && job_ids === null && !dead_letters ? this.plan.end : this.plan.from;
    this.#previous = undefined;
    this.#settled = new Set();
    this.window = this.#openWindow();
    this.#changed();
  }

  #complete(): void {
    this.#isEnding = true;
    this.#changed();
    const result = { delivered: this.#delivered, failed: this.#failed, closed: this.#closed };
    void this.#desk.completed(result).catch((error: unknown) => {
      this.#isEnding = false;
      this.#desk.onFault(error);
    });
  }

  #changed(): void {
    this.isSaved = false;
    this.#desk.changed();
  }

  #openWindow(): Window<LogItem> {
    const options = { ordering: this.#desk.ordering(), order_patience_ms: Number.POSITIVE_INFINITY };
    return new Window<LogItem>({ ...this.#place, previous: null }, options);
  }
}
