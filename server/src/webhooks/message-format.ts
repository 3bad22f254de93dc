// What a message looks like: the form that an endpoint chose, around an event or around what its transform made of it.
// Pure; a line belongs here if it decides which bytes and which headers of content an endpoint gets.

import type { Rendering } from '../ledger/command.ts';
import { SCHEMA_VERSION } from '../ledger/event-text.ts';
import {
  attributesOf,
  type EventSubject,
  STRUCTURED_MEDIA_TYPE,
  writeBinaryHeaders,
  writeStructured,
} from './cloudevents.ts';

export const messageFormats = ['native', 'cloudevents_structured', 'cloudevents_binary'] as const;
export type MessageFormat = (typeof messageFormats)[number];

/** Versions of the form of events that can be sent, the newest last. */
export const schemaVersions: readonly string[] = [SCHEMA_VERSION];

/** How messages are made: of a message, that of its first attempt. */
export interface Revision {
  rendering: Rendering;
  format: MessageFormat;
  schema_version: string;
  /** A JSONata expression; null: the event itself is sent. */
  transform: string | null;
}

/** What an endpoint says about it. */
export interface RevisionSettings extends Omit<Revision, 'schema_version'> {
  /** Null: the newest there is. */
  schema_version: string | null;
}

export function revisionOf({ rendering, format, schema_version, transform }: RevisionSettings): Revision {
  return { rendering, format, schema_version: schema_version ?? SCHEMA_VERSION, transform };
}

export function isSameRevision(a: RevisionSettings, b: RevisionSettings): boolean {
  return JSON.stringify(revisionOf(a)) === JSON.stringify(revisionOf(b));
}

/** The bytes of a message, and the headers that say what they are, names and values in turn. */
export interface MadeMessage {
  body: Buffer;
  headers: readonly string[];
  /** A data subject of its event was erased: its fields read null. */
  redacted: boolean;
}

export const JSON_HEADERS: readonly string[] = ['content-type', 'application/json'];
const STRUCTURED_HEADERS: readonly string[] = ['content-type', STRUCTURED_MEDIA_TYPE];

/** `text` is the event as it is kept; `body` what is told of it, its JSON or what was made of that. */
export function formatMessage(
  body: Buffer,
  { format, transform }: Pick<Revision, 'format' | 'transform'>,
  event: EventSubject & { text: string },
): Omit<MadeMessage, 'redacted'> {
  if (format === 'native') return { body, headers: JSON_HEADERS };
  const attributes = attributesOf(event.text, event, transform !== null);
  return format === 'cloudevents_structured'
    ? { body: writeStructured(attributes, body), headers: STRUCTURED_HEADERS }
    : { body, headers: [...JSON_HEADERS, ...writeBinaryHeaders(attributes)] };
}
