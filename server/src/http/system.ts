// Operations about the process itself: is it alive, is it ready, how is it. All public but the metrics.

import { hash, timingSafeEqual } from 'node:crypto';
import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { type Operation, OtherText, operation } from './operation.ts';

const NOT_READY_RETRY_AFTER_S = 1;

const Health = Type.Object(
  { status: Type.Literal('ok') },
  { $id: 'Health', additionalProperties: false, description: 'The server answers.' },
);

/** Who may read the metrics of this process, and how they are had. */
export interface MetricsDesk {
  token: string;
  render(): Promise<string>;
}

export interface HealthParts {
  findUnready(): Promise<readonly string[]>;
  /** Null: nobody may read them. */
  metrics: MetricsDesk | null;
}

export function healthOperations(parts: HealthParts): Operation[] {
  return [
    operation({
      operation_id: 'get_health',
      method: 'GET',
      path: '/healthz',
      tag: 'system',
      summary: 'Whether the process is alive',
      scope: null,
      replies: { 200: { description: 'It is.', schema: Health } },
      errors: [],
      reply_example: { status: 'ok' },
      run: async () => ({ status: 200, body: { status: 'ok' } }),
    }),
    operation({
      operation_id: 'get_readiness',
      method: 'GET',
      path: '/readyz',
      tag: 'system',
      summary: 'Whether requests can be served',
      scope: null,
      replies: { 200: { description: 'They can.', schema: Health } },
      errors: ['not_ready'],
      reply_example: { status: 'ok' },
      async run() {
        const reasons = await parts.findUnready();
        if (reasons.length === 0) return { status: 200, body: { status: 'ok' } };
        throw new WaypostError('not_ready', reasons.join(' '), { retryAfterS: NOT_READY_RETRY_AFTER_S });
      },
    }),
    operation({
      operation_id: 'get_metrics',
      method: 'GET',
      path: '/metrics',
      tag: 'system',
      summary: 'Figures for Prometheus',
      description:
        'Those of the process that answers. `docs/metrics.md` says what each means and what to be woken for.',
      scope: null,
      own_credential: {
        name: 'metrics_token',
        description: 'The token of the setting `WAYPOST_METRICS_TOKEN`. Without that setting nobody may read metrics.',
        admit: (authorization) => admitToMetrics(parts.metrics, authorization),
      },
      replies: {
        200: { description: 'The text format of Prometheus.', schema: Type.String(), media_type: METRICS_MEDIA_TYPE },
      },
      errors: [],
      reply_example: METRICS_EXAMPLE,
      run: async () => ({ status: 200, body: new OtherText((await parts.metrics?.render()) ?? '') }),
    }),
  ];
}

const METRICS_MEDIA_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const METRICS_EXAMPLE = `# HELP waypost_ledger_events_total Events written to the log.
# TYPE waypost_ledger_events_total counter
waypost_ledger_events_total 10291
`;

function admitToMetrics(metrics: MetricsDesk | null, authorization: string | undefined): void {
  if (metrics === null) {
    throw new WaypostError(
      'unauthorized',
      'This server shows its metrics to nobody: set WAYPOST_METRICS_TOKEN, and send it as "Authorization: Bearer …".',
    );
  }
  const given = hash('sha256', authorization ?? '', 'buffer');
  if (timingSafeEqual(given, hash('sha256', `Bearer ${metrics.token}`, 'buffer'))) return;
  throw new WaypostError('unauthorized', 'Send the token of WAYPOST_METRICS_TOKEN as "Authorization: Bearer …".');
}
