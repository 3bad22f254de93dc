// Which events are owed to an endpoint. A line belongs here if it decides that from the event and the filter alone.

export const PATTERNS_MAX = 50;
/** `*`, a whole name (`job.created`), or a beginning with everything below it (`job.*`, `job.pickup.*`). */
export const PATTERN = '^(\\*|[a-z_]+(\\.[a-z_]+)*(\\.\\*)?)$';

export interface Filter {
  types: readonly string[];
  topics: readonly string[];
  /** Null: those of every channel and those of none. */
  channel_ids: readonly string[] | null;
}

/** What of an event a filter looks at. */
export interface Filtered {
  type: string;
  topics: readonly string[];
  channel_id: string | null;
}

/**
 * Compiles a filter once for many events. Types and topics are one list of names, and each may stand under either: nobody
 * has to know which of the two a name is. An event that fits by both is owed once. A filter with channels owes nothing that belongs to no channel.
 */
export function compileFilter(filter: Filter): (event: Filtered) => boolean {
  const fits = compilePatterns([...filter.types, ...filter.topics]);
  const channels = filter.channel_ids === null ? null : new Set(filter.channel_ids);
  return (event) => {
    if (isOwedToAll(event.type)) return true;
    if (channels !== null && (event.channel_id === null || !channels.has(event.channel_id))) return false;
    return fits(event.type) || event.topics.some(fits);
  };
}

/** Whoever reads the log has to know that its end was lost, whatever else they asked for and may see. */
export function isOwedToAll(type: string): boolean {
  return type === 'log.restored';
}

export function compilePatterns(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.includes('*')) return () => true;
  const names = new Set(patterns.filter((pattern) => !pattern.endsWith('.*')));
  const beginnings = patterns.filter((pattern) => pattern.endsWith('.*')).map((pattern) => pattern.slice(0, -1));
  return (name) => names.has(name) || beginnings.some((beginning) => name.startsWith(beginning));
}
