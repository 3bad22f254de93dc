// Comma-separated text (RFC 4180) of values that are described by a schema. A line belongs here if it says how a value
// becomes a cell.

import type { TSchema } from 'typebox';

/** One column: its name in the first row, and its value in an item. Null and undefined are empty cells. */
export interface Column<T = unknown> {
  name: string;
  read(item: T): unknown;
}

interface Described {
  type?: string | string[];
  properties?: Record<string, Described>;
}

/** A column for each member of the schema; those of objects inside it are named `address.city`. */
export function columnsOf(schema: TSchema): Column[] {
  return Object.entries((schema as Described).properties ?? {}).flatMap(([name, member]) =>
    columnsOfMember(name, member),
  );
}

function columnsOfMember(name: string, schema: Described): Column[] {
  const read = (item: unknown) => (item as Record<string, unknown> | null)?.[name];
  if (schema.properties === undefined) return [{ name, read }];
  return Object.entries(schema.properties).flatMap(([inner, member]) =>
    columnsOfMember(inner, member).map((column) => ({
      name: `${name}.${column.name}`,
      read: (item: unknown) => column.read(read(item)),
    })),
  );
}

export function writeHeader(columns: readonly Pick<Column, 'name'>[]): string {
  return `${columns.map(({ name }) => name).join(',')}\r\n`;
}

export function writeRow<T>(columns: readonly Column<T>[], item: T): string {
  return `${columns.map((column) => writeCell(column.read(item))).join(',')}\r\n`;
}

/** Lists and objects are cells with their JSON. */
export function writeCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return quote(disarm(value));
  if (typeof value === 'object') return quote(JSON.stringify(value));
  return String(value);
}

/** A spreadsheet runs a text that begins so as a formula; behind an apostrophe it is text (OWASP, CSV injection). */
function disarm(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
