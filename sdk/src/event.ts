// The envelope of every event, as webhooks, pulls and streams carry it alike.

/** What changed is in `type`, what happened by name in `topics`, the whole object in `data`. */
export interface WaypostEvent {
  id: string;
  type: string;
  data: { data_id: string; [member: string]: unknown };
  [member: string]: unknown;
}
