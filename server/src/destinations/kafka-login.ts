// How we say to a broker of Kafka who we are: whether it speaks the protocol that we speak, and then the login, by PLAIN or
// SCRAM (RFC 5802). With SCRAM the broker has to show that it knows the password too.

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { BrokerRefusal } from './broker-destination.ts';
import type { SaslMechanism } from './destination.schema.ts';
import type { BrokerTarget } from './destination.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { OK, UNSUPPORTED_MECHANISM } from './kafka-refusal.ts';
import {
  type Api,
  apis,
  readHandshake,
  readMissingApis,
  readToken,
  writeHandshake,
  writeToken,
} from './kafka-request.ts';

const NONCE_BYTES = 24;
/** Fewer would let whoever plays the broker guess the password; more would keep us busy. */
const ITERATIONS = { min: 4_096, max: 1_000_000 };

export async function login(
  connection: KafkaConnection,
  { settings, credentials }: BrokerTarget,
  within_ms: number,
): Promise<void> {
  const ask = (api: Api, body: Buffer) => connection.ask(api, body, within_ms);
  const { code, missing } = readMissingApis(await ask(apis.versions, Buffer.alloc(0)));
  if (code !== OK || missing.length > 0) {
    const names = missing.map(({ name, version }) => `${name} ${version}`).join(', ');
    throw new BrokerRefusal(`the broker is too old or too new (it does not know ${names}): Kafka 2.1 and later are`);
  }
  const { username, password } = credentials;
  if (username === undefined) return;
  const mechanism = settings.sasl ?? 'plain';
  const shake = readHandshake(await ask(apis.handshake, writeHandshake(nameOfMechanism(mechanism))));
  if (shake.code === UNSUPPORTED_MECHANISM)
    throw new BrokerRefusal(
      `the broker takes no ${nameOfMechanism(mechanism)}, but ${shake.mechanisms.join(', ')}: say so in destination.sasl`,
    );
  if (shake.code !== OK) throw new BrokerRefusal('the broker takes no credentials there: name its SASL listener');
  const next = converse(
    mechanism,
    { username, password: password ?? '' },
    randomBytes(NONCE_BYTES).toString('base64url'),
  );
  let said: Buffer = Buffer.alloc(0);
  for (let word = await next(said); word !== null; word = await next(said)) {
    const answer = readToken(await ask(apis.authenticate, writeToken(word)));
    if (answer.code !== OK)
      throw new BrokerRefusal(`the broker does not take these credentials: ${answer.message ?? 'it does not say why'}`);
    said = answer.token;
  }
}

/** As Kafka writes it: `SCRAM-SHA-256`. */
const nameOfMechanism = (mechanism: SaslMechanism): string => mechanism.toUpperCase().replaceAll('_', '-');

export interface Login {
  username: string;
  password: string;
}

/** What is said to the broker next, given what it said; null when it is done. Throws a sentence about a broker that lies. */
export type Conversation = (said: Buffer) => Promise<Buffer | null>;

export function converse(mechanism: SaslMechanism, login: Login, nonce: string): Conversation {
  if (mechanism === 'plain') return sayOnce(Buffer.from(`\0${login.username}\0${login.password}`));
  return converseByScram(mechanism === 'scram_sha_256' ? 'sha256' : 'sha512', login, nonce);
}

function sayOnce(word: Buffer): Conversation {
  const words = [word];
  return async () => words.shift() ?? null;
}

function converseByScram(hash: 'sha256' | 'sha512', { username, password }: Login, nonce: string): Conversation {
  const bare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  let step = 0;
  let expected: Buffer | null = null;
  return async (said) => {
    step += 1;
    if (step === 1) return Buffer.from(`n,,${bare}`);
    const fields = readFields(said.toString());
    if (step === 2) {
      const proof = await proveBy(hash, password, bare, said.toString(), fields, nonce);
      expected = proof.expected;
      return Buffer.from(proof.word);
    }
    const signature = Buffer.from(fields.v ?? '', 'base64');
    if (expected === null || signature.length !== expected.length || !timingSafeEqual(signature, expected))
      throw new RangeError('the broker does not know the password that it asks for');
    return null;
  };
}

async function proveBy(
  hash: string,
  password: string,
  bare: string,
  said: string,
  { r = '', s = '', i = '' }: Partial<Record<string, string>>,
  nonce: string,
): Promise<{ word: string; expected: Buffer }> {
  const iterations = Number(i);
  if (!r.startsWith(nonce) || !(iterations >= ITERATIONS.min && iterations <= ITERATIONS.max))
    throw new RangeError('the broker does not hold to SCRAM');
  const sign = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest();
  const length = createHash(hash).digest().length;
  const salt = Buffer.from(s, 'base64');
  const salted = await new Promise<Buffer>((resolve, reject) => {
    const done = (error: Error | null, key: Buffer) => (error === null ? resolve(key) : reject(error));
    pbkdf2(password.normalize('NFKC'), salt, iterations, length, hash, done);
  });
  const clientKey = sign(salted, 'Client Key');
  const final = `c=biws,r=${r}`;
  const everything = `${bare},${said},${final}`;
  const signature = sign(createHash(hash).update(clientKey).digest(), everything);
  const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)));
  return {
    word: `${final},p=${proof.toString('base64')}`,
    expected: sign(sign(salted, 'Server Key'), everything),
  };
}

function readFields(text: string): Partial<Record<string, string>> {
  return Object.fromEntries(text.split(',').map((field) => [field.slice(0, 1), field.slice(2)]));
}
