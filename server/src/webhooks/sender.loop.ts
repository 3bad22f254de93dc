// The sender: the loop that sends messages. It holds leases on shares of all endpoints, learns which worlds have news,
// has their logs read for their endpoints, and writes down what came of it. This file only joins the parts.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DatabaseAddress } from '../db/sql.ts';
import { BY_KEY, openPool } from '../db/sql.ts';
import { type Resolve, resolveBySystem } from '../destinations/checked-address.ts';
import type { EgressRules } from '../destinations/egress.ts';
import { openDestinations } from '../destinations/open-destinations.ts';
import type { Accepted, Command, Moment } from '../ledger/command.ts';
import { mintId } from '../ledger/id.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { refTo } from '../ledger/resource.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { type AttemptFacts, type AttemptPlace, factsOf, levelOf } from './attempt-facts.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import { loadOne, pauseEndpoint, requireEndpoint, verifyEndpoint } from './endpoint.ts';
import { type EndpointBook, openEndpointBook } from './endpoint-book.loop.ts';
import type { StoredEndpoint } from './endpoint-change.ts';
import { startFlusher } from './flush.loop.ts';
import { endpointName } from './flush.store.ts';
import { PROCESS_IN_FLIGHT_MAX } from './in-flight.ts';
import { type Clocks, type LeaseHolder, startLeases } from './lease.loop.ts';
import { makeMessage } from './log-item.ts';
import { type News, startNews } from './news.loop.ts';
import { replayKind } from './replay.store.ts';
import { endReplay } from './replay.ts';
import { openCredentials, openHeaders, openKeys } from './sealed-secret.ts';
import type { HeadNews } from './sender.store.ts';
import { createSteadyClock } from './steady-clock.ts';
import type { Surroundings } from './surroundings.loop.ts';
import type { TransformPool } from './transform-pool.ts';
import { Turns } from './turns.ts';
import { WorldRun } from './world.loop.ts';

const TICK_MS = 20;
const STOP_DRAIN_MS = 5_000;
/** What a sender that ends has for writing down what came and giving its leases back, once nothing is in flight. */
const GIVE_BACK_MS = 2_000;
const DRAIN_LOOK_MS = 20;
const RELOAD_RETRY_MS = 200;
/** An endpoint of which nothing could be written waits so long before its messages are sent again. */
const RESTART_MS = 30_000;
/** A share that is given away waits for its last answers: a little longer than the longest time-out. */
const RELEASE_GRACE_MS = 35_000;
const WORK_CONNECTIONS_MAX = 4;
const LEASE_CONNECTIONS_MAX = 2;
const SESSION = {
  idle_in_transaction_session_timeout: 2_000,
  lock_timeout: 5_000,
  statement_timeout: 5_000,
  ...BY_KEY,
};
/**
 * What a sender writes need not be on disk before it goes on: after a crash of the database the last moments are
 * missing, cursors and attempts alike, and their messages come again. Forty flushes a second would otherwise compete with
 * the ledger for the disk (at 1,000 events/s the median from commit to receiver fell from 31 to 6 ms). Leases are not
 * written so: an epoch that was handed out must never be handed out again.
 */
const WORK_SESSION = { ...SESSION, synchronous_commit: 'off' };

export interface SenderOptions {
  /** The database as the role of senders. */
  address: DatabaseAddress;
  ledger: Pick<Ledger, 'commit' | 'onCommit'>;
  keys: SubjectKeys;
  /** In which threads transforms run. */
  transforms: TransformPool;
  /** Under which the secrets of endpoints are sealed. */
  secretKey: Buffer;
  egress: EgressRules;
  log: Logger;
  /** `PROCESS_IN_FLIGHT_MAX` when absent. */
  inFlightMax?: number;
  /** Told of each attempt that is over. */
  onAttempted?: ((facts: AttemptFacts) => void) | undefined;
  /** Told of each message that became a dead letter. */
  onDead?: ((reason: string) => void) | undefined;
  /** Everything below is given by tests only. This one stands in for the clock of the database. */
  clock?: { now(): number };
  leaseClocks?: Clocks;
  resolve?: Resolve;
  jitter?: () => number;
}

export interface Sender {
  /** Something was committed in this world. Commits of the ledger it was given are heard of without this. */
  poke(worldId: number): void;
  /** How things stand. */
  state(): SenderState;
  /**
   * Sends nothing more, waits so long for answers, writes down what came, and gives its leases back, each as soon as
   * nothing of it is in flight.
   */
  stop(drainMs?: number): Promise<void>;
}

export interface SenderState {
  /** Endpoints that this process sends to, by what becomes of their messages. */
  endpoints: Record<EndpointState, number>;
  in_flight: number;
  in_flight_max: number;
  /** Endpoints that wait until less is in flight. */
  held: number;
  /** That are not over. */
  replays: number;
  /** Shares of the work that this process holds. */
  shares: number;
}

export const endpointStates = ['closed', 'open', 'proving', 'unverified', 'paused'] as const;
/** The circuit's state while it is active. */
export type EndpointState = (typeof endpointStates)[number];

export async function startSender(options: SenderOptions): Promise<Sender> {
  const sender = new SenderLoop(options);
  await sender.start();
  return sender;
}

class SenderLoop implements Sender {
  readonly #options: SenderOptions;
  readonly #work;
  readonly #leasePool;
  readonly #worlds = new Map<number, WorldRun>();
  readonly #wakes = new Map<EndpointRun, number>();
  /** The configuration of each world for which its endpoints were loaded. */
  readonly #configs = new Map<number, number>();
  readonly #leases: LeaseHolder;
  readonly #steady = createSteadyClock();
  readonly #turns: Turns;
  readonly #news: News;
  readonly #flusher;
  readonly #destination;
  readonly #book: EndpointBook;
  #tick: NodeJS.Timeout | null = null;
  #hasStarted = false;
  #isStopping = false;
  #releaseGraceMs = RELEASE_GRACE_MS;

  constructor(options: SenderOptions) {
    const { address, egress, log } = options;
    this.#options = options;
    this.#turns = new Turns((turn) => void setImmediate(turn), options.inFlightMax ?? PROCESS_IN_FLIGHT_MAX);
    this.#work = openPool(address, {
      name: 'waypost sender',
      connectionsMax: WORK_CONNECTIONS_MAX,
      session: WORK_SESSION,
    });
    this.#leasePool = openPool(address, {
      name: 'waypost sender leases',
      connectionsMax: LEASE_CONNECTIONS_MAX,
      session: SESSION,
    });
    const onFault = (error: unknown) => log.warn({ msg: 'sender.failed', err: error });
    this.#destination = openDestinations({
      egress,
      resolve: options.resolve ?? resolveBySystem,
      now: () => this.#now(),
    });
    this.#leases = startLeases({
      sql: this.#leasePool,
      holder: `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`,
      clocks: options.leaseClocks ?? { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
      onClaimed: (leases) =>
        this.#book.load(
          leases.map(({ share }) => share),
          null,
        ),
      onLost: (shares) => {
        log.warn({ msg: 'sender.leases_lost', shares });
        this.#endShares(shares);
      },
      onRelease: (share) => this.#release(share),
      onFault,
    });
    this.#flusher = startFlusher({
      sql: this.#work,
      runs: () => this.#book.runs.values(),
      onLost: (names) => this.#lose(names),
      onRefused: ({ world_id, endpoint_id }, dropped, error) => {
        log.error({ msg: 'flush.failed', world_id, endpoint_id, dropped, err: error });
        if (dropped === 'all') this.#restart(world_id, endpoint_id);
      },
      onFault,
    });
    this.#news = startNews({ sql: this.#leasePool, onNews: (head) => this.#onNews(head), onFault });
    this.#book = openEndpointBook({
      sql: this.#work,
      openKeys: (worldId, endpoint, sealed) => openKeys(options.secretKey, worldId, endpoint, sealed),
      openHeaders: (endpoint, sealed) => openHeaders(options.secretKey, endpoint, sealed),
      openCredentials: (endpoint, sealed) => openCredentials(options.secretKey, endpoint, sealed),
      epochOf: (share) => this.#leases.epochOf(share),
      keys: options.keys,
      onFault,
      around: this.#surroundings(onFault),
      onStart: (run) => this.#onStart(run),
      onEnd: (run) => this.#onEnd(run),
    });
  }

  async start(): Promise<void> {
    await this.#news.look();
    this.#hasStarted = true;
    await this.#leases.look();
    this.#options.ledger.onCommit((worldIds, configChanged) => {
      if (this.#isStopping) return;
      for (const worldId of worldIds) this.poke(worldId);
      if (configChanged.size > 0) void this.#news.look();
    });
    this.#tick = setInterval(() => this.#wakeDue(), TICK_MS);
  }

  state(): SenderState {
    const state: SenderState = {
      endpoints: { closed: 0, open: 0, proving: 0, unverified: 0, paused: 0 },
      in_flight: 0,
      in_flight_max: this.#turns.inFlightMax,
      held: this.#turns.held,
      replays: 0,
      shares: this.#leases.shares().length,
    };
    for (const run of this.#book.runs.values()) {
      const { status } = run.config.endpoint;
      state.endpoints[status === 'active' ? run.circuit.state : status]++;
      state.in_flight += run.inFlight;
      state.replays += run.replays.ids.length;
    }
    return state;
  }

  poke(worldId: number): void {
    this.#worlds.get(worldId)?.poke();
  }

  async stop(drainMs = STOP_DRAIN_MS): Promise<void> {
    this.#isStopping = true;
    this.#releaseGraceMs = drainMs;
    this.#news.stop();
    if (this.#tick !== null) clearInterval(this.#tick);
    // A database that is away must not keep the process: its leases then run out by themselves.
    await Promise.race([this.#leases.stop(), pause(drainMs + GIVE_BACK_MS, null, { ref: false })]);
    this.#flusher.stop();
    for (const world of this.#worlds.values()) world.stop();
    this.#book.stop();
    await this.#destination.close();
    await Promise.all([this.#work.end({ timeout: 1 }), this.#leasePool.end({ timeout: 1 })]);
  }

  /** The database's time, so that all senders agree on what is due; it does not go back when that clock is set back. */
  #now(): number {
    return Math.round(this.#steady.read(this.#clockNow(), this.#ownMs()));
  }

  /** The database's time as it is: for what receivers compare with their own clocks. */
  #clockNow(): number {
    return Math.round(this.#options.clock?.now() ?? performance.now() + this.#leases.offsetMs());
  }

  /** Monotonic, so that a clock of this machine that is set changes nothing. */
  #ownMs(): number {
    return this.#options.clock?.now() ?? performance.now();
  }

  #surroundings(onFault: (error: unknown) => void): Surroundings {
    const { keys, log, onAttempted } = this.#options;
    return {
      destination: this.#destination,
      turns: this.#turns,
      now: () => this.#now(),
      clockNow: () => this.#clockNow(),
      jitter: this.#options.jitter ?? (() => Math.random() * 2 - 1),
      mintEventId: () => mintId('evt', this.#now()),
      mintDeadLetterId: () => mintId('dlt', this.#now()),
      holds: (share) => !this.#isStopping && this.#leases.holds(share),
      make: (run, item, revision) => makeMessage(item, keys, revision, this.#worldOf(run).config_version),
      prepare: (run, nexts) => this.#worldOf(run).prepare(run, nexts),
      changed: (run) => this.#flusher.mark(run),
      written: () => this.#flusher.settle(),
      hungry: (run) => this.#worldOf(run).feedMore(run),
      wakeAt: (run, at) => void this.#wakes.set(run, at),
      commitVerified: (run) =>
        this.#commit(run, 'endpoint.verify', (stored, moment) =>
          verifyEndpoint(stored, moment, run.config.endpoint),
        ).catch(onFault),
      commitPaused: (run, reason) =>
        this.#commit(run, 'endpoint.pause', (stored, moment) => pauseEndpoint(stored, moment, reason)).catch(onFault),
      commitReplayEnded: (worldId, replayId, { reason, result }) =>
        this.#commitIn(worldId, 'replay.end', [() => [refTo(replayKind, replayId)]], (set, moment) =>
          endReplay(set, moment, replayId, reason, result),
        ),
      onAttempt: (run, subject, answer) => {
        const level = levelOf(answer.outcome);
        const isLogged = log.isLevelEnabled(level);
        if (!isLogged && onAttempted === undefined) return;
        const facts = factsOf(placeOf(run), subject, answer, this.#now());
        if (isLogged) log[level](facts, 'message.attempted');
        onAttempted?.(facts);
      },
      onDead: (run, message, { row }, reason) => {
        const { sequence, attempts } = message;
        const { event_id, type, correlation_id } = row;
        log.warn({ ...placeOf(run), event_id, type, sequence, attempts, reason, correlation_id }, 'message.dead');
        this.#options.onDead?.(reason);
      },
    };
  }

  /** A change of an endpoint that the sender decides: a command like any other, with its event. */
  #commit(run: EndpointRun, name: string, decide: (stored: StoredEndpoint, moment: Moment) => Accepted): Promise<void> {
    const asker = { channel_ids: null, may_read_contacts: true };
    return this.#commitIn(run.config.world_id, name, loadOne(run.id), (set, moment) =>
      decide(requireEndpoint(set, run.id, asker), moment),
    );
  }

  async #commitIn(world_id: number, name: string, load: Command['load'], decide: Command['decide']): Promise<void> {
    await this.#options.ledger.commit({
      name,
      world_id,
      actor: { type: 'system', id: 'sender' },
      cause: 'rule',
      correlation_id: mintId('evt', this.#now()),
      idempotency: null,
      load,
      decide,
    });
    // The ledger may be one that does not tell us of its commits.
    await this.#news.look();
  }

  #onNews(head: HeadNews): boolean {
    const world = this.#worlds.get(head.world_id);
    const isConfigNew = this.#configs.get(head.world_id) !== head.config_version;
    this.#configs.set(head.world_id, head.config_version);
    // Bodies are rendered anew from now on: not under the key of somebody who was erased elsewhere.
    if (isConfigNew) this.#options.keys.forgetWorld(head.world_id);
    if (!this.#hasStarted || this.#isStopping) return false;
    if (world !== undefined) world.config_version = head.config_version;
    if (isConfigNew) this.#reload(head.world_id);
    if (world === undefined || head.sequence <= world.head) return isConfigNew;
    world.head = head.sequence;
    world.feed();
    return true;
  }

  /** A change must not be missed because the database was away for a moment. */
  #reload(worldId: number): void {
    this.#book.load(this.#leases.shares(), worldId).catch((error: unknown) => {
      this.#options.log.warn({ msg: 'sender.failed', world_id: worldId, err: error });
      if (!this.#isStopping) setTimeout(() => this.#reload(worldId), RELOAD_RETRY_MS);
    });
  }

  #worldOf(run: EndpointRun): WorldRun {
    const { world_id } = run.config;
    let world = this.#worlds.get(world_id);
    if (world === undefined) {
      const onFault = (error: unknown) => this.#options.log.warn({ msg: 'sender.failed', world_id, err: error });
      const { keys, transforms } = this.#options;
      world = new WorldRun(world_id, { sql: this.#work, keys, transforms, now: () => this.#now(), onFault });
      const head = this.#news.headOf(world_id);
      world.head = head?.sequence ?? 0;
      world.config_version = head?.config_version ?? 0;
      this.#worlds.set(world_id, world);
    }
    return world;
  }

  #onStart(run: EndpointRun): void {
    const world = this.#worldOf(run);
    world.runs.set(run.id, run);
    run.wake(this.#now());
    world.poke();
  }

  #onEnd(run: EndpointRun): void {
    this.#wakes.delete(run);
    const world = this.#worlds.get(run.config.world_id);
    if (world?.runs.get(run.id) !== run) return;
    world.runs.delete(run.id);
    if (world.runs.size > 0) return;
    world.stop();
    this.#worlds.delete(world.world_id);
  }

  #wakeDue(): void {
    const now = this.#now();
    // A list of its own: who wakes says when to be woken next, and would be met again at once if that had come already.
    const due = [...this.#wakes].filter(([, at]) => at <= now);
    for (const [run] of due) {
      this.#wakes.delete(run);
      run.wake(now);
    }
  }

  #endShares(shares: readonly number[]): void {
    this.#book.end([...this.#book.runs].flatMap(([name, run]) => (shares.includes(run.config.share) ? [name] : [])));
  }

  /** A cursor was not ours any more: neither is anything else of its share. */
  #lose(names: ReadonlySet<string>): void {
    const shares = [...names].flatMap((name) => this.#book.runs.get(name)?.config.share ?? []);
    this.#book.end(names);
    this.#leases.lose(shares);
  }

  /** Starts an endpoint again from what is saved of it, after a while: what was refused may be refused again. */
  #restart(worldId: number, endpointId: string): void {
    this.#book.end([endpointName(worldId, endpointId)]);
    setTimeout(() => {
      if (!this.#isStopping) this.#reload(worldId);
    }, RESTART_MS).unref();
  }

  async #release(share: number): Promise<void> {
    const runs = () => [...this.#book.runs.values()].filter((run) => run.config.share === share);
    await drain(runs, () => this.#releaseGraceMs);
    await callOff(runs());
    await this.#flusher.settle();
    this.#endShares([share]);
  }
}

function placeOf({ config, id }: EndpointRun): AttemptPlace {
  return { tenant_id: config.tenant_id, world: config.world, endpoint_id: id };
}

/** Resolves when the last of what was called off has told its run. */
async function callOff(runs: readonly EndpointRun[]): Promise<void> {
  for (const run of runs) run.callOff();
  while (runs.some((run) => run.inFlight > 0)) await new Promise((done) => setImmediate(done));
}

/** Waits until nothing is in flight, or for so long; the time may become shorter meanwhile. */
async function drain(runs: () => readonly EndpointRun[], graceMs: () => number): Promise<void> {
  const began = performance.now();
  while (performance.now() - began < graceMs() && runs().some((run) => run.inFlight > 0)) await pause(DRAIN_LOOK_MS);
}
