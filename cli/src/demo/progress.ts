// What a person sees while the day goes by: one line that moves on a terminal, a plain line now and then elsewhere.

import type { DriveProgress } from './drive.ts';
import { formatCount } from './figures.ts';
import type { MirrorCounts } from './mirror.ts';

const REDRAW_MS = 80;
const PLAIN_LINE_MS = 2_000;
const BAR_WIDTH = 24;

export interface View {
  driven: DriveProgress;
  received: MirrorCounts | null;
}

export interface Progress {
  /** A sentence that stays. */
  tell(sentence: string): void;
  show(view: View): void;
  /** Leaves the last state standing. */
  finish(): void;
}

/** `nowMs` is a monotonic clock. */
export function createProgress(out: NodeJS.WriteStream, timeZone: string, nowMs: () => number): Progress {
  const live = out.isTTY === true;
  let shown: string | null = null;
  let shownAt = Number.NEGATIVE_INFINITY;
  let latest: View | null = null;

  function draw(): void {
    if (latest === null) return;
    const line = writeLine(latest, timeZone, live ? out.columns || 80 : 0);
    shownAt = nowMs();
    if (line === shown) return;
    shown = line;
    out.write(live ? `\r\x1b[2K${line}` : `${line}\n`);
  }

  return {
    tell(sentence) {
      out.write(live && shown !== null ? `\r\x1b[2K${sentence}\n` : `${sentence}\n`);
      shown = null;
    },
    show(view) {
      latest = view;
      if (nowMs() - shownAt >= (live ? REDRAW_MS : PLAIN_LINE_MS)) draw();
    },
    finish() {
      draw();
      if (live && shown !== null) out.write('\n');
      shown = null;
      latest = null;
    },
  };
}

/** `columns` 0: no bar and no limit. */
export function writeLine({ driven, received }: View, timeZone: string, columns: number): string {
  const clock = new Date(driven.clock).toLocaleTimeString('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' });
  const share = driven.of === 0 ? 1 : driven.steps / driven.of;
  const parts = [
    `${clock}`,
    `${Math.floor(share * 100)}%`.padStart(4),
    `${formatCount(driven.jobs)} jobs`,
    `${formatCount(received?.events ?? 0)} events received`,
    `${formatCount(received?.duplicated ?? 0)} duplicated`,
    `${formatCount(received?.out_of_order ?? 0)} out of order`,
  ];
  if (columns === 0) return parts.join('  ');
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
  return `${parts[0]} ${bar} ${parts.slice(1).join('  ')}`.slice(0, columns - 1);
}
