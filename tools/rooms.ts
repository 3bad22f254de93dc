// The plan of the house: the rooms of server/src with their floors, and what each kind of file may import.
// A line belongs here if it allows or forbids an arrow, and it says why. check-rooms.ts reads these tables and prints
// the sentences. If a wall stands in the wrong place, move it here and say why in docs/decisions/.

export interface Room {
  floor: number;
  because: string;
}

/** A room imports rooms on lower floors only. Inside one floor, only the arrows of `sideways` exist. */
export const rooms: Readonly<Record<string, Room>> = {
  db: { floor: 1, because: 'it reaches PostgreSQL and knows nothing about deliveries' },
  ledger: { floor: 1, because: 'it writes what rooms decide; it must not know what a job is' },
  http: { floor: 1, because: 'it speaks HTTP for every room; app.ts gives it its check of keys' },
  access: { floor: 2, because: 'tenants, worlds and keys exist before anything that belongs to them' },
  channels: { floor: 3, because: 'the settings of an order source bind what is ordered, not the other way round' },
  parties: { floor: 3, because: 'customers and addresses exist without jobs; a job copies them' },
  fleet: { floor: 4, because: 'drivers and hubs exist without jobs; an assignment names them' },
  jobs: { floor: 4, because: 'a job names customers, a channel and drivers, and none of these names a job' },
  proof: { floor: 5, because: 'a proof is about a task; a task only states what proof it requires' },
  destinations: { floor: 5, because: 'it carries bytes to the outside and knows neither endpoints nor events' },
  events: { floor: 5, because: 'reading the log needs to know which events the rooms below write' },
  tracking: { floor: 5, because: 'positions and ETAs are about jobs and drivers' },
  webhooks: { floor: 6, because: 'a message is an event rendered for an endpoint' },
  dispatch: { floor: 6, because: 'planning uses jobs, drivers and travel times' },
  intake: { floor: 7, because: "other systems' words are turned into our operations" },
  evidence: { floor: 7, because: 'a bundle collects what jobs, proofs, events and messages hold' },
  insight: { floor: 7, because: 'figures are computed from everything and decide nothing' },
  audit: { floor: 7, because: 'it tells what everybody did, and reads the log for it' },
  telemetry: { floor: 8, because: 'it measures what the rooms tell, and no room waits for it' },
  assurance: { floor: 8, because: 'drills and simulations drive the whole house from outside' },
  operate: {
    floor: 9,
    because: "the operator's words (serve, doctor, tenant, key, …) run the house that app.ts builds",
  },
};

/** The only arrows inside a floor: from → to. */
export const sideways: readonly { from: string; to: string; because: string }[] = [
  { from: 'ledger', to: 'db', because: 'the ledger runs its transactions on a connection' },
  { from: 'http', to: 'ledger', because: 'an outcome of the ledger becomes a reply, an idempotency key a command' },
  { from: 'parties', to: 'channels', because: 'an inline contact is matched as its channel says' },
  { from: 'jobs', to: 'fleet', because: 'an assignment names a driver, an implicit pickup a hub' },
];

/** What the name of a file says that it is. `machinery` is every plain file of a room on floor 1. */
export type FileKind =
  | 'rule'
  | 'schema'
  | 'command'
  | 'store'
  | 'routes'
  | 'loop'
  | 'machinery'
  | 'root'
  | 'test'
  | 'generated';

/** Words between the noun and `.ts`: `job.store.ts`. A plain `job.ts` is a rule, `job-command.ts` binds one. */
export const suffixes: Readonly<Record<string, FileKind>> = {
  schema: 'schema',
  store: 'store',
  routes: 'routes',
  loop: 'loop',
  test: 'test',
  gen: 'generated',
};

/** Which kinds a file may import besides its own kind, and why no others. Types of machinery are free for all. */
export const arrows: Readonly<
  Record<'rule' | 'schema' | 'command' | 'store' | 'routes' | 'loop' | 'machinery', { to: FileKind[]; because: string }>
> = {
  rule: {
    to: ['rule', 'schema', 'generated'],
    because:
      'a rule computes values from values: no SQL, no I/O, no clock, no randomness (of a store it may name a `…Kind`, to ask the working set)',
  },
  schema: { to: ['schema', 'rule', 'generated'], because: 'a schema describes the wire and does nothing' },
  command: {
    to: ['command', 'store', 'rule', 'schema', 'machinery', 'generated'],
    because: 'a command binds a rule to what the ledger loads for it; who asks for it is none of its business',
  },
  store: {
    to: ['store', 'rule', 'schema', 'machinery', 'generated'],
    because: 'a store holds SQL and knows neither HTTP nor loops',
  },
  routes: {
    to: ['routes', 'command', 'store', 'rule', 'schema', 'machinery', 'generated'],
    because: 'a route names a path and a schema; what waits and acts by itself is a loop',
  },
  loop: {
    to: ['loop', 'command', 'store', 'rule', 'schema', 'machinery', 'generated'],
    because: 'a loop waits and acts; nobody asks it over HTTP',
  },
  machinery: {
    to: ['machinery', 'store', 'generated'],
    because: 'machinery on the ground floor carries the rooms and must not know them',
  },
};

/** Machinery that is nothing but words and pure functions: rules may use it. */
export const pureMachinery: Readonly<Record<string, string>> = {
  'ledger/command.ts': 'the words in which a rule states its decision',
  'ledger/id.ts': 'reading identifiers is a computation',
  'ledger/personal.ts': 'cutting out, opening and masking values is a computation',
  'ledger/event-text.ts': 'the bytes of an event are computed from its parts',
  'ledger/origin.ts': 'reading from where a write came is a computation',
  'ledger/shown.ts': 'noting what is shown to whom is part of rendering',
  'ledger/trace.ts': 'reading and writing the name of a trace is a computation',
  'ledger/fingerprint.ts': 'comparing requests is a computation',
  'ledger/resource-document.ts': 'what is personal in a document and what differs between two is a computation',
  'ledger/resource.ts': 'the rules that all simple resources share',
  'ledger/resource-edit.ts': 'the rules that all simple resources share',
  'ledger/plain-event.ts': 'the draft of an event is computed from its parts',
  'http/api-version.ts': 'the versions of the API are data',
  'http/network.ts': 'whether an address lies in a network is a computation',
  'http/rate-limit.ts': 'what a bucket holds is computed from times that it is given',
  'http/scope.ts': 'the table of scopes is data',
  'http/suggestion.ts': 'the nearest word of a list is a computation',
};

/** Plain files above floor 1 that do I/O because doing it is all they are for. */
export const adapters: Readonly<Record<string, string>> = {
  'access/authenticate.ts': 'the check of keys that app.ts gives to the HTTP server',
  'access/secret.ts': 'makes the random secret of a key',
  'telemetry/gauges.ts': 'asks the process, the database and the disk how full they are',
  'telemetry/tracing.ts': 'sends spans to a collector, through the packages of OpenTelemetry',
  'telemetry/metrics.ts': 'counts what the rooms tell, in the registry of Prometheus',
  'webhooks/transform-pool.ts': 'runs transforms in threads of their own, and ends those that take too long',
  'webhooks/transform-thread.ts': 'is such a thread',
  'webhooks/endpoint-tester.ts': 'sends the one test message that an operation waits for',
  'destinations/checked-address.ts': 'asks the name server where a host leads, for whatever connects',
  'destinations/open-destinations.ts': 'opens the kind of destination that a message asks for',
  'destinations/broker-destination.ts': 'carries messages to brokers over connections that it keeps',
  'destinations/nats-session.ts': 'publishes to a JetStream stream',
  'destinations/rabbitmq-session.ts': 'publishes to an exchange of RabbitMQ',
  'destinations/kafka-session.ts': 'writes to the partitions of a topic of Kafka',
  'destinations/kafka-connection.ts': 'is the connection to one broker of Kafka',
  'destinations/kafka-login.ts': 'logs in to a broker of Kafka',
  'destinations/writeback-destination.ts': 'carries out requests to the APIs of shops, ERPs and CRMs',
  'destinations/http-destination.ts': 'carries a message to a URL',
};

/** Files outside config.ts that read the environment. */
export const environmentReaders: Readonly<Record<string, string>> = {
  'config.ts': 'the one table of settings',
  'main.ts': 'hands the environment to config.ts',
  'db/embedded-cluster.ts': "PostgreSQL's programs are found by the search path and get nothing else",
};

/** Modules of Node that only compute. */
export const pureModules: readonly string[] = ['node:crypto', 'node:net', 'node:zlib'];

/** Tables whose rows have one writer, and the files that hold its SQL. */
export const writers: readonly { tables: string[]; files: RegExp; because: string }[] = [
  {
    tables: ['jobs'],
    files: /^jobs\/job\.store\.ts$/,
    because: 'a job reaches the database only as a line that the ledger writes together with its event',
  },
  {
    tables: ['heads'],
    files: /^(ledger\/|access\/tenant\.store\.ts$)/,
    because: 'a head begins with its world and from then on has one writer, or its numbers would have gaps',
  },
  {
    tables: ['events', 'event_marks', 'idempotency_keys', 'log_epochs', 'log_seals', 'subjects'],
    files: /^ledger\//,
    because: 'the log has one writer, or its numbers would have gaps',
  },
];

/** Files of server/src that belong to no room. */
export const rootFiles: Readonly<Record<string, string>> = {
  'main.ts': 'the words of the command line',
  'app.ts': 'builds the rooms by hand, in order',
  'app-tags.ts': 'what each group of operations is about',
  'app-ledger.ts': 'builds the write path for app.ts',
  'app-http.ts': 'builds the HTTP servers for app.ts',
  'app-operations.ts': 'lists every operation, with what its room needs',
  'config.ts': 'the one table of settings',
  'errors.ts': 'the one error class and its codes',
  'version.ts': 'the version of the program, for whoever tells it',
};

/** Packages that only some files import. */
export const packages: readonly { name: string; files: RegExp; because: string }[] = [
  {
    name: 'postgres',
    files: /^db\/(driver|sql|embedded)\.ts$/,
    because: 'db/driver.ts repairs the driver as it loads it: whoever imports it elsewhere gets the faults back',
  },
  { name: 'fastify', files: /^http\//, because: 'rooms say what an operation is, and http makes a server of them' },
  {
    name: 'prom-client',
    files: /^telemetry\/(metrics|gauges)\.ts$/,
    because: 'rooms tell what happened, and one room knows in which words it is shown',
  },
  {
    name: '@opentelemetry',
    files: /^(ledger|telemetry)\/tracing\.ts$/,
    because: 'spans are begun in one place and sent from another; rooms know neither',
  },
  {
    name: 'jsonata',
    files: /^webhooks\/transform(-thread)?\.ts$/,
    because: 'an expression is read in one place and run in a thread, never where requests and messages wait',
  },
  { name: 'ajv', files: /^http\/validator\.ts$/, because: 'there is one way in which requests are checked' },
  {
    name: '@nats-io',
    files: /^destinations\/nats-session\.ts$/,
    because: 'one file speaks to NATS, and it is loaded when the first endpoint names one',
  },
  {
    name: 'amqplib',
    files: /^destinations\/rabbitmq-session\.ts$/,
    because: 'one file speaks to RabbitMQ, and it is loaded when the first endpoint names one',
  },
  {
    name: 'undici',
    files: /^destinations\/http-destination\.ts$/,
    because: 'what posts to the outside checks every address, and that is done in one place',
  },
];

/** Rooms that run the house: their plain files are the work of words, not rules, and may import what builds the house. */
export const rootReaders: readonly string[] = ['operate'];

export const refusedNames: readonly string[] = [
  'utils',
  'util',
  'common',
  'helpers',
  'helper',
  'lib',
  'types',
  'interfaces',
  'services',
  'misc',
];

export const fileLinesMax = 500;
