// Reading the log of one world for all of its endpoints: one block serves everybody who stands at the same place.
// Endpoints that are behind read their own blocks, in turns; what was read last is kept, so that those who are nearly
// up to date need no reading at all.

import type { Sql } from '../db/sql.ts';
import { BEGINNING, type LogRow, readBlock, readPlaces } from '../events/log.store.ts';
import { renderEvent } from '../events/render.ts';
import { subjectsIn } from '../ledger/personal.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import type { Next } from './lane.ts';
import { itemOf, type LogItem, renderItem } from './log-item.ts';
import type { TransformPool } from './transform-pool.ts';
import type { Place } from './window.ts';

const BLOCK_EVENTS_MAX = 200;
const BLOCK_EVENTS_MIN = 10;
/** Blocks are made smaller when events are large. */
const BLOCK_BYTES_AIMED = 4_194_304;
const TAIL_EVENTS_MAX = 600;
/** With so few left in memory the next block is read. */
const READ_AHEAD_EVENTS = 150;
const RETRY_MS = 200;

export interface WorldContext {
  sql: Sql;
  keys: SubjectKeys;
  now(): number;
  onFault(error: unknown): void;
  transforms: TransformPool;
}

export class WorldRun {
  readonly world_id: number;
  readonly runs = new Map<string, EndpointRun>();
  /** As far as we know from polling; a poke says that there is more. */
  head = 0;
  config_version = 0;
  readonly #context: WorldContext;
  /** The newest events, without a gap. */
  #tail: LogItem[] = [];
  #isPoked = false;
  #isReading = false;
  #mayHaveMore = false;
  #turn = 0;
  #bytesOfEvent = 4_096;
  #isStopped = false;

  constructor(world_id: number, context: WorldContext) {
    this.world_id = world_id;
    this.#context = context;
  }

  /** Something was committed: there may be more than `head` says. */
  poke(): void {
    this.#isPoked = true;
    this.feed();
  }

  /** Gives events to whoever takes more, reading as long as that helps. */
  feed(): void {
    this.#mayHaveMore = true;
    if (this.#isReading || this.#isStopped) return;
    this.#isReading = true;
    void this.#feedAll().finally(() => {
      this.#isReading = false;
      if (this.#mayHaveMore) this.feed();
    });
  }

  /** There is room for more at this endpoint: as often as an answer comes, and mostly there is nothing to give it. */
  feedMore(run: EndpointRun): void {
    if (this.#hasMoreFor(run)) this.feed();
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Reads the events and keys that messages lack and sends them. */
  prepare(run: EndpointRun, nexts: readonly Next<LogItem>[]): void {
    void this.#prepare(run, nexts).catch((error: unknown) => {
      this.#context.onFault(error);
      setTimeout(() => {
        for (const next of nexts) if (next.message.state === 'in_flight') run.launch(next, null);
        if (!run.isStopped) run.wake(this.#context.now());
      }, RETRY_MS);
    });
  }

  async #prepare(run: EndpointRun, nexts: readonly Next<LogItem>[]): Promise<void> {
    const { sql, keys } = this.#context;
    const missing = nexts.map(({ message }) => message).filter((message) => message.event === null);
    const rows = missing.length === 0 ? [] : await readPlaces(sql, this.world_id, missing);
    const items = new Map(rows.map((row) => [row.sequence, itemOf(row, this.config_version)]));
    const found = nexts.map((next) => ({ next, item: next.message.event ?? items.get(next.message.sequence) ?? null }));
    await this.#fetchKeys(
      found.flatMap(({ item }) => (item === null ? [] : [item.row])),
      keys,
    );
    for (const { next, item } of found) {
      if (run.isStopped) return;
      const fault = item === null ? 'the event is not in the log any more' : this.#faultOf(item);
      if (fault === null && item !== null && run.revisionOf(next.message).transform !== null) {
        this.#transform(run, next, item).catch(this.#context.onFault);
        continue;
      }
      if (fault === null) {
        run.launch(next, item);
        continue;
      }
      this.#context.onFault(new Error(`event ${next.message.sequence} of world ${this.world_id}: ${fault}`));
      run.settling.giveBack(next.message, item, fault);
    }
    run.pump();
  }

  /** Its result is of no use to anybody but this message, which goes out at once. */
  async #transform(run: EndpointRun, next: Next<LogItem>, item: LogItem): Promise<void> {
    const { keys, transforms } = this.#context;
    const by = run.revisionOf(next.message);
    const rendered = renderItem(item, keys, by.rendering, this.config_version);
    if (rendered === null || by.transform === null) {
      run.launch(next, null);
      return;
    }
    const input = { expression: by.transform, text: rendered.body.toString(), at_ms: item.row.recorded_at.getTime() };
    const { output, error } = await transforms.run(`${this.world_id}/${run.id}`, input);
    if (run.isStopped) return;
    // What it was made by or from was changed meanwhile.
    if (run.revisionOf(next.message) !== by || item.config_version !== this.config_version) {
      this.prepare(run, [next]);
      return;
    }
    if (output === null) run.settling.giveBack(next.message, item, `the transform failed: ${error}`);
    else {
      item.transformed = { body: Buffer.from(output), redacted: rendered.redacted, by };
      run.launch(next, item);
    }
    run.pump();
  }

  /** Why an event cannot be made into a message, now that all keys that there are were fetched; null: it can. */
  #faultOf({ row }: LogItem): string | null {
    try {
      renderEvent(row, this.#context.keys, 'plain');
      return null;
    } catch (error) {
      return `the event cannot be rendered: ${(error as Error).message}`;
    }
  }

  async #feedAll(): Promise<void> {
    while (this.#mayHaveMore && !this.#isStopped) {
      this.#mayHaveMore = false;
      try {
        await this.#feedOnce();
      } catch (error) {
        this.#context.onFault(error);
        await new Promise((done) => setTimeout(done, RETRY_MS));
        this.#mayHaveMore = true;
      }
    }
  }

  async #feedOnce(): Promise<void> {
    while (!this.#isStopped) {
      const reader = this.#nextReader();
      const ahead = reader === null ? this.#placeAhead() : null;
      if (reader === null && ahead === null) return;
      if (reader !== null) reader.fed_at = ++this.#turn;
      await this.#read(ahead ?? reader?.window.readTo ?? BEGINNING, reader);
    }
  }

  /** Feeds from memory whoever can be fed so; answers who needs a block most, or null when nobody does. */
  #nextReader(): EndpointRun | null {
    let reader: EndpointRun | null = null;
    for (const run of this.runs.values()) {
      if (!this.#hasMoreFor(run) || !run.isHungry) continue;
      if (this.#give(run, this.#tail)) run.pump();
      // A block for every few that were sent would cost more than the sending.
      if (!run.isHungry || !run.window.isLow || !this.#hasMoreFor(run)) continue;
      if (reader === null || run.fed_at < reader.fed_at) reader = run;
    }
    this.#trim();
    return reader;
  }

  #hasMoreFor(run: EndpointRun): boolean {
    const newest = Math.max(this.head, this.#tail.at(-1)?.place.sequence ?? 0);
    return this.#isPoked || run.window.readTo.sequence < newest;
  }

  /** Where to read on before anybody is hungry, so that nobody waits for the database while catching up. */
  #placeAhead(): Place | null {
    const end = this.#tail.at(-1)?.place;
    if (end === undefined || end.sequence >= this.head || this.#tail.length > READ_AHEAD_EVENTS) return null;
    return end;
  }

  async #read(after: Place, reader: EndpointRun | null): Promise<void> {
    const wasPoked = this.#isPoked;
    this.#isPoked = false;
    const limit = this.#limitFor(after, reader);
    const rows = await readBlock(this.#context.sql, this.world_id, after, limit);
    await this.#fetchKeys(rows, this.#context.keys);
    const items = rows.map((row) => itemOf(row, this.config_version));
    this.#measure(rows);
    // Who is behind does not see the end: the poke still holds for the others.
    if (rows.length === limit && wasPoked) this.#isPoked = true;
    else this.head = Math.max(this.head, rows.at(-1)?.sequence ?? after.sequence);
    if (rows.length === 0 && !wasPoked) this.head = Math.min(this.head, after.sequence);
    this.#keep(items);
    for (const run of this.runs.values()) {
      const isReader = run === reader && run.window.readTo === after;
      if (run.isHungry && this.#give(run, items, isReader)) run.pump();
    }
  }

  /** How many events are read. Of a block that is not kept for others the reader alone takes what it has room for. */
  #limitFor(after: Place, reader: EndpointRun | null): number {
    const fitting = Math.round(BLOCK_BYTES_AIMED / this.#bytesOfEvent);
    const isKept = after.sequence >= (this.#tail.at(-1)?.place.sequence ?? 0);
    const wanted = reader === null || isKept ? BLOCK_EVENTS_MAX : reader.window.room;
    return Math.min(BLOCK_EVENTS_MAX, Math.max(BLOCK_EVENTS_MIN, Math.min(fitting, wanted)));
  }

  /** Offers what follows the run's place; true when anything did. The reader itself may jump over what the log lost. */
  #give(run: EndpointRun, items: readonly LogItem[], isReader = false): boolean {
    const first = items[0]?.place.sequence;
    if (first === undefined) return false;
    let index = run.window.readTo.sequence + 1 - first;
    if (index < 0 && isReader) index = 0;
    if (index < 0 || index >= items.length) return false;
    for (let item = items[index]; item !== undefined && run.window.isHungry; item = items[++index]) run.offer(item);
    return true;
  }

  #keep(items: LogItem[]): void {
    const first = items[0]?.place.sequence;
    const end = this.#tail.at(-1)?.place.sequence ?? 0;
    if (first === undefined || first <= end) return;
    this.#tail = first === end + 1 ? [...this.#tail, ...items].slice(-TAIL_EVENTS_MAX) : items;
  }

  /** Forgets what everybody has looked at. Who is far behind reads blocks of its own. */
  #trim(): void {
    const first = this.#tail[0]?.place.sequence;
    if (first === undefined) return;
    let oldest = Number.POSITIVE_INFINITY;
    for (const run of this.runs.values()) {
      const { sequence } = run.window.readTo;
      if (run.takesEvents && sequence >= first - 1) oldest = Math.min(oldest, sequence);
    }
    if (oldest >= first) this.#tail = this.#tail.slice(Math.min(oldest, first + this.#tail.length - 1) - first + 1);
  }

  #measure(rows: readonly LogRow[]): void {
    if (rows.length === 0) return;
    const bytes = rows.reduce((sum, row) => sum + row.body.length + row.personal.length, 0);
    this.#bytesOfEvent = Math.max(512, bytes / rows.length);
  }

  async #fetchKeys(rows: readonly LogRow[], keys: SubjectKeys): Promise<void> {
    const subjects = new Set(rows.flatMap((row) => (row.personal.length <= 1 ? [] : subjectsIn(row.personal))));
    if (subjects.size === 0) return;
    await keys.fetch(
      this.#context.sql,
      [...subjects].map((subject_id) => ({ world_id: this.world_id, subject_id })),
    );
  }
}
