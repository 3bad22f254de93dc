// Which events are owed to an endpoint. A line belongs here if it decides that from the event and the filter alone.

export const PATTERNS_MAX = 50;
/** `*`, a whole name (`job.created`), or a beginning with everything below it (`job.*`, `job.pickup.*`). */
export const PATTERN = '^(\\*|[a-z_]+(\\.[a-z_]+)*(\\.\\*)?)$';

export interface Filter {
  types: readonly string[];
  topics: readonly string[];
  /** Null: those of every channel and those of none. */
  channel_ids: readonly string[] | null;
  /** One of these is a tag of the job, or was before the event; null: whatever it has. */
  tags: readonly string[] | null;
}

/** What of an event a filter looks at. */
export interface Filtered {
  type: string;
  topics: readonly string[];
  channel_id: string | null;
  /** Asked for only where a filter names tags: it looks into the event's document. */
  readTags(): readonly string[];
}

/** The tags that a job has after an event, and those that the event took from it. Others have none. */
export function tagsIn(body: string): readonly string[] {
  const { data } = JSON.parse(body) as {
    data: { job?: { tags?: string[] }; changes?: { tags?: [string[], string[]] } };
  };
  return [...(data.job?.tags ?? []), ...(data.changes?.tags?.[0] ?? [])];
}

/**
 * Compiles a filter once for many events. Types and topics are one list of names, and each may stand under either: nobody
 * has to know which of the two a name is. An event that fits by both is owed once. A filter with channels owes nothing that belongs to no channel,
 * one with tags nothing that is not about a job.
 */
export function compileFilter(filter: Filter): (event: Filtered) => boolean {
  const fits = compilePatterns([...filter.types, ...filter.topics]);
  const channels = filter.channel_ids === null ? null : new Set(filter.channel_ids);
  const tags = filter.tags === null ? null : new Set(filter.tags);
  return (event) => {
    if (isOwedToAll(event.type)) return true;
    if (channels !== null && (event.channel_id === null || !channels.has(event.channel_id))) return false;
    if (!fits(event.type) && !event.topics.some(fits)) return false;
    return tags === null || event.readTags().some((tag) => tags.has(tag));
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
