// An event in one line for a terminal. Pure but for the colours.

import type { WaypostEvent } from '@waypost/sdk/event';
import { formatClock, type Terminal } from './terminal.ts';

const TYPE_WIDTH = 20;

export function eventLine(event: WaypostEvent, paint: Terminal['paint']): string {
  const subject = event.data.job?.reference ?? event.data.data_id;
  return [
    paint('dim', formatClock(event.recorded_at)),
    String(event.sequence).padStart(6),
    event.type.padEnd(TYPE_WIDTH),
    paint('bold', subject),
    describeEvent(event, paint),
  ].join('  ');
}

/** What happened, by name; what is known of steps that nobody reported, and of reports that changed nothing. */
export function describeEvent(event: WaypostEvent, paint: Terminal['paint']): string {
  const topics = event.topics.length === 0 ? (event.data.job?.status ?? '') : event.topics.join(', ');
  const marks = [
    ...(event.implied ? [paint('yellow', 'implied')] : []),
    ...(event.applied ? [] : [paint('red', 'kept, not applied')]),
  ];
  return [topics, ...marks].filter((part) => part !== '').join('  ');
}
