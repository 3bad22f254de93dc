// The files by which Waypost is deployed. No container engine is needed: the Dockerfile and the compose files are checked
// for their form, and what the image holds is laid out in a folder, prepared and started by the Dockerfile's own commands.

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';
import { options } from '../server/src/config.ts';
import { BATCH_BODY_BYTES_MAX } from '../server/src/jobs/job-batch.routes.ts';
import { findFreePort } from '../server/test/server-process.ts';
import { until } from '../server/test/until.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const settings = new Set(Object.values(options).map(({ name }) => name));

function requireKnownSettings(text: string): void {
  for (const [, name = ''] of text.matchAll(/\b(WAYPOST_\w+)=/g)) assert.ok(settings.has(name), `${name} is a setting`);
}

interface Instruction {
  word: string;
  rest: string;
}

/** Instructions of each stage, lines that go on joined. */
function readStages(text: string): Instruction[][] {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n');
  const instructions = lines.flatMap((line) => {
    const [, word, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    return word === undefined ? [] : [{ word, rest: rest?.trim() ?? '' }];
  });
  const stages: Instruction[][] = [];
  for (const each of instructions) {
    if (each.word === 'FROM') stages.push([]);
    stages.at(-1)?.push(each);
  }
  return stages;
}

const dockerfile = read('Dockerfile');
const stages = readStages(dockerfile);
const last = stages.at(-1) ?? [];
const restOf = (word: string) => last.filter((each) => each.word === word).map(({ rest }) => rest);

/** What is copied from the clone: source → target folder or file. */
function copiesOf(stage: readonly Instruction[]): { source: string; target: string }[] {
  return stages.length === 0
    ? []
    : stage
        .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from='))
        .flatMap(({ rest }) => {
          const parts = rest.split(/\s+/);
          const target = parts.at(-1) ?? '';
          return parts.slice(0, -1).map((source) => ({ source, target }));
        });
}

test('the Dockerfile is well-formed and runs the server as nobody in particular', () => {
  assert.deepEqual(validate(dockerfile), []);
  assert.equal(stages.length, 2, 'what npm needs stays out of the image');
  for (const [from] of stages) assert.doesNotMatch(from?.rest ?? '', /^[^:]+$|:latest/, 'a base has a version');
  assert.match(last[0]?.rest ?? '', /^debian:\w+-slim$/);
  assert.deepEqual(restOf('USER'), ['10001:10001'], 'by number, so that a cluster can see that it is not root');
  assert.ok(last.findIndex(({ word }) => word === 'USER') > last.findLastIndex(({ word }) => word === 'COPY'));
  assert.deepEqual(restOf('VOLUME'), ['/data']);
  assert.deepEqual(restOf('STOPSIGNAL'), ['SIGTERM']);
  // In this form no shell stands between the engine's signal and the launcher, which becomes the server.
  assert.deepEqual([restOf('ENTRYPOINT'), restOf('CMD')], [['["./waypost"]'], ['["serve"]']]);
  requireKnownSettings(restOf('ENV').join(' '));
});

/** A rule of .dockerignore, in which an asterisk stands for leading dots too. */
function patternOf(rule: string): RegExp {
  const parts = rule.split(/(\*\*\/|\*)/).map((part) => {
    if (part === '**/') return '(?:.*/)?';
    return part === '*' ? '[^/]*' : RegExp.escape(part);
  });
  return new RegExp(`^${parts.join('')}$`);
}

test('what the Dockerfile copies is there and reaches the builder, and no tests or secrets do', () => {
  const rules = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const isSent = (path: string) => {
    let sent = true;
    for (const rule of rules) {
      const pattern = patternOf(rule.replace(/^!/, ''));
      const parts = path.split('/').map((_part, index, all) => all.slice(0, index + 1).join('/'));
      if (parts.some((part) => pattern.test(part))) sent = rule.startsWith('!');
    }
    return sent;
  };
  const copies = stages.flatMap(copiesOf);
  assert.ok(copies.length >= 15);
  for (const { source } of copies) {
    assert.ok(existsSync(join(root, source)), `${source} is there`);
    assert.ok(isSent(source), `${source} reaches the builder`);
  }
  for (const path of [
    'data/master.key',
    'node_modules/fastify',
    '.git/config',
    'server/src/config.test.ts',
    'server/test/house.ts',
  ])
    assert.ok(!isSent(path), `${path} stays here`);
});

/** Names of the packages that are installed without those for development. */
function listProductionPackages(): string[] {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean; link?: boolean }>;
  };
  return Object.entries(packages).flatMap(([path, { dev, link }]) =>
    path.startsWith('node_modules/') && !path.slice(13).includes('/node_modules/') && dev !== true && link !== true
      ? [path.slice('node_modules/'.length)]
      : [],
  );
}

/** The image's /app in a folder: the files that the last stage copies and the packages of production, nothing else. */
async function layOut(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waypost-image-'));
  chmodSync(folder, 0o755);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const app = join(folder, 'app');
  for (const { source, target } of stages.flatMap(copiesOf)) {
    const isFolder = statSync(join(root, source)).isDirectory();
    const to = isFolder ? join(app, target) : join(app, target, source.split('/').at(-1) ?? '');
    mkdirSync(dirname(to), { recursive: true });
    cpSync(join(root, source), to, { recursive: true, filter: (path) => !path.endsWith('.test.ts') });
  }
  const modules = join(app, 'node_modules');
  if (process.env.DEPLOYMENT_INSTALL === 'true') {
    const npm = /npm ci[^&]*/.exec(stages[0]?.map(({ rest }) => rest).join('\n') ?? '')?.[0] ?? '';
    execFileSync('sh', ['-c', npm], { cwd: app, stdio: 'ignore' });
  } else {
    for (const name of listProductionPackages()) {
      const installed = join(root, 'node_modules', name);
      if (!existsSync(installed)) continue;
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(installed, join(modules, name));
    }
    mkdirSync(join(modules, '@waypost'), { recursive: true });
    for (const name of ['server', 'sdk', 'cli']) symlinkSync(`../../${name}`, join(modules, '@waypost', name));
    writeFileSync(join(modules, '.package-lock.json'), '{}');
  }
  cpSync(join(app, 'package-lock.json'), join(modules, '.waypost-lock.json'));
  return folder;
}

const asList = (text: string | undefined) => JSON.parse(text ?? '[]') as string[];

test('what the image holds is enough: prepared, started, healthy and stopped by the commands of the Dockerfile', async () => {
  const folder = await layOut();
  const cwd = join(folder, 'app');
  const port = String(await findFreePort());
  const { PATH = '', HOME = '' } = process.env;
  const image = { PATH, HOME, NODE_COMPILE_CACHE: join(cwd, 'node_modules/.cache/compiled') };
  const env = { ...image, WAYPOST_DATA_DIR: join(folder, 'data'), WAYPOST_PORT: port };
  for (const command of restOf('RUN').filter((each) => !each.includes('apt-get')))
    await promisify(execFile)('sh', ['-c', command], { cwd, env: image });
  const [entry = '', ...words] = [...asList(restOf('ENTRYPOINT')[0]), ...asList(restOf('CMD')[0])];
  const server = spawn(entry, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const gone = once(server, 'exit');
  let said = '';
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  try {
    const [, check = ''] = /CMD (\[.*\])$/.exec(restOf('HEALTHCHECK')[0] ?? '') ?? [];
    const [program = '', ...rest] = asList(check);
    const isHealthy = () =>
      promisify(execFile)(program, rest, { cwd, env }).then(
        ({ stdout }) => stdout,
        (error: { code: number; stdout: string }) => {
          assert.equal(error.code, 1, 'an unhealthy container is told by 1');
          return null;
        },
      );
    const healthy = await until(async () => {
      assert.equal(server.exitCode, null, said);
      return isHealthy();
    }, 'the container to be healthy');
    assert.match(healthy, /\/readyz answers 200/);
    server.kill('SIGTERM');
    assert.deepEqual(await gone, [0, null], said);
    assert.equal(await isHealthy(), null);
  } finally {
    server.kill('SIGKILL');
  }
});

/** The part of the Compose Specification that our files use, closed: a misspelt word is found. */
const closed = { type: 'object', additionalProperties: false } as const;
const texts = { type: 'array', items: { type: 'string' } } as const;
const duration = { type: 'string', pattern: '^(?:\\d+(?:h|m|s|ms))+$' } as const;
const composeSchema = {
  ...closed,
  properties: {
    name: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]*$' },
    services: {
      type: 'object',
      additionalProperties: {
        ...closed,
        properties: {
          build: { type: 'string' },
          image: { type: 'string' },
          command: texts,
          environment: { type: 'object', additionalProperties: { type: 'string' } },
          ports: { type: 'array', items: { type: 'string', pattern: '^(?:[0-9.]+:)?\\d+:\\d+$' } },
          volumes: { type: 'array', items: { type: 'string', pattern: '^[^:]+:/[^:]+(?::ro)?$' } },
          networks: {
            anyOf: [
              texts,
              {
                type: 'object',
                additionalProperties: { ...closed, properties: { ipv4_address: { type: 'string', format: 'ipv4' } } },
              },
            ],
          },
          depends_on: {
            type: 'object',
            additionalProperties: {
              ...closed,
              required: ['condition'],
              properties: { condition: { enum: ['service_started', 'service_healthy'] } },
            },
          },
          healthcheck: {
            ...closed,
            required: ['test'],
            properties: { test: texts, interval: duration, timeout: duration, retries: { type: 'integer' } },
          },
          restart: { enum: ['no', 'always', 'on-failure', 'unless-stopped'] },
          stop_grace_period: duration,
          init: { type: 'boolean' },
          read_only: { type: 'boolean' },
          tmpfs: texts,
          cap_drop: texts,
          security_opt: texts,
          shm_size: { type: 'string', pattern: '^\\d+[kmg]$' },
          logging: { ...closed, properties: { driver: { type: 'string' } } },
        },
      },
    },
    networks: {
      type: 'object',
      additionalProperties: {
        ...closed,
        properties: {
          ipam: {
            ...closed,
            properties: {
              config: { type: 'array', items: { ...closed, properties: { subnet: { type: 'string' } } } },
            },
          },
        },
      },
    },
    volumes: { type: 'object', additionalProperties: { type: 'null' } },
  },
};

interface Compose {
  services: Record<
    string,
    { environment?: Record<string, string>; volumes?: string[]; depends_on?: object; ports?: string[] }
  >;
  volumes?: object;
}

const COMPOSE = 'compose.yaml';
for (const path of [COMPOSE, 'deploy/compose.postgres.yaml', 'deploy/compose.tls.yaml']) {
  test(`${path} is well-formed, and everything that it names exists`, () => {
    const compose = parse(read(path)) as Compose;
    const whole = { ...(parse(read(COMPOSE)) as Compose).services, ...compose.services };
    const check = new Ajv2020({ allErrors: true, strict: false, formats: { ipv4: /^[\d.]+$/ } }).compile(composeSchema);
    assert.ok(check(compose), JSON.stringify(check.errors, null, 2));
    for (const [name, service] of Object.entries(compose.services)) {
      for (const setting of Object.keys(service.environment ?? {}))
        if (name === 'waypost' || name === 'sender') assert.ok(settings.has(setting), `${setting} is a setting`);
      for (const other of Object.keys(service.depends_on ?? {}))
        assert.ok(other in whole, `${name} waits for ${other}`);
      for (const volume of service.volumes ?? []) {
        const [from = ''] = volume.split(':');
        const isThere = from.startsWith('./') ? existsSync(join(root, from)) : from in (compose.volumes ?? {});
        assert.ok(isThere, `${name}: ${volume}`);
      }
    }
  });
}

test('without a proxy the API is published to this machine alone', () => {
  const { services } = parse(read(COMPOSE)) as Compose;
  assert.deepEqual(services.waypost?.ports, ['127.0.0.1:8080:8080']);
});

test('the unit of systemd is one that it takes, and leaves the server no rights that it does not need', async () => {
  const unit = read('deploy/waypost.service');
  const values = new Map([...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]));
  assert.equal(values.get('User'), 'waypost');
  assert.equal(values.get('KillMode'), 'mixed', 'the server stops its database itself');
  requireKnownSettings(unit);
  for (const key of ['NoNewPrivileges', 'PrivateTmp', 'PrivateDevices', 'RestrictNamespaces', 'LockPersonality'])
    assert.equal(values.get(key), 'true', key);
  assert.deepEqual([values.get('ProtectSystem'), values.get('CapabilityBoundingSet')], ['strict', '']);
  assert.ok(Number.parseInt(values.get('TimeoutStopSec') ?? '', 10) > Number(options.drainS.fallback));
  if (!existsSync('/usr/bin/systemd-analyze')) {
    console.log('not run: systemd-analyze verify, since systemd is not on this machine');
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'waypost-unit-'));
  const file = join(folder, 'waypost.service');
  writeFileSync(file, unit.replaceAll('/opt/waypost', root));
  const { stdout, stderr } = await promisify(execFile)('systemd-analyze', ['verify', file]);
  assert.equal(`${stdout}${stderr}`, '');
  rmSync(folder, { recursive: true });
});

test('what stands in front leads to the port, takes the streams as they come and keeps metrics inside', () => {
  for (const path of ['deploy/Caddyfile', 'deploy/nginx.conf']) {
    const text = read(path);
    assert.match(text, /127\.0\.0\.1:8080/, path);
    assert.match(text, /flush_interval -1|proxy_buffering off/, path);
    assert.match(text, /\/metrics/, path);
    requireKnownSettings(text);
  }
  const [, largest] = /client_max_body_size (\d+)m;/.exec(read('deploy/nginx.conf')) ?? [];
  assert.equal(Number(largest), BATCH_BODY_BYTES_MAX / 1024 ** 2, 'batches pass');
});
