// What is done with an endpoint besides changing it: verify, test, pause, resume, rotate the secret.

import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { EndpointSchema, EndpointWithSecret, RotateInput, TestResult } from './endpoint.schema.ts';
import { pauseEndpoint, resumeEndpoint, verifyEndpoint } from './endpoint.ts';
import {
  changeOf,
  type EndpointDesk,
  endpointPath,
  endpointTag,
  findVisible,
  newSecret,
} from './endpoint-desk.routes.ts';
import { attemptExample, endpointExample } from './endpoint-example.ts';
import { rotateSecret } from './endpoint-keys.ts';
import { testEndpoint } from './endpoint-tester.ts';

export function endpointActions(desk: EndpointDesk): Operation[] {
  return [postVerify(desk), postTest(desk), postPause(desk), postResume(desk), postRotate(desk)];
}

const testReplies = { 200: { description: 'What came of it.', schema: TestResult } };
const testExample = { delivered: true, attempt: attemptExample, endpoint: endpointExample };

async function runTest(desk: EndpointDesk, call: Call, id: string) {
  const { caller, correlation_id } = call;
  const found = await findVisible(desk.reads, caller, id);
  const { world_id, tenant_id, world } = caller;
  const attempt = await testEndpoint(desk.tester, { world_id, tenant_id, world }, found, correlation_id);
  return { found, attempt, delivered: attempt.outcome === 'delivered' };
}

function postVerify(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'verify_endpoint',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/verify',
    tag: endpointTag,
    summary: 'Send the handshake now',
    description:
      'Sends a signed `endpoint.test`; answered with 2xx, the endpoint becomes `active`. Waits for the answer.',
    scope: 'webhooks:admin',
    path_params: endpointPath,
    replies: testReplies,
    errors: ['not_found'],
    reply_example: testExample,
    async run(call) {
      const id = call.path.endpoint_id;
      const { found, attempt, delivered } = await runTest(desk, call as Call, id);
      if (delivered) {
        const command = changeOf(call as Call, 'endpoint.verify', id, (stored, moment) =>
          verifyEndpoint(stored, moment, found.endpoint),
        );
        await desk.ledger.commit({ ...command, idempotency: null });
      }
      const { endpoint } = await findVisible(desk.reads, call.caller, id);
      return { status: 200, body: { delivered, attempt, endpoint }, version: endpoint.version };
    },
  });
}

function postTest(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'test_endpoint',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/test',
    tag: endpointTag,
    summary: 'Send a test message now',
    description:
      'Sends a signed `endpoint.test`, which is not in the log, and waits for the answer. The endpoint stays as it is.',
    scope: 'webhooks:admin',
    path_params: endpointPath,
    replies: testReplies,
    errors: ['not_found'],
    reply_example: testExample,
    async run(call) {
      const { found, attempt, delivered } = await runTest(desk, call as Call, call.path.endpoint_id);
      return { status: 200, body: { delivered, attempt, endpoint: found.endpoint } };
    },
  });
}

function postPause({ ledger }: EndpointDesk): Operation {
  return operation({
    operation_id: 'pause_endpoint',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/pause',
    tag: endpointTag,
    summary: 'Stop sending to an endpoint',
    description:
      'At once; what is on its way is called off. Its events stay in the log, and it goes on where it stood.',
    scope: 'webhooks:admin',
    path_params: endpointPath,
    replies: { 200: { description: 'The endpoint as it stands now.', schema: EndpointSchema } },
    errors: ['not_found', 'stale_version'],
    reply_example: { ...endpointExample, status: 'paused', paused_reason: 'requested' },
    async run(call) {
      const command = changeOf(call as Call, 'endpoint.pause', call.path.endpoint_id, (stored, moment) =>
        pauseEndpoint(stored, moment, 'requested'),
      );
      return replyOf(await ledger.commit(command), call.rendering);
    },
  });
}

function postResume({ ledger }: EndpointDesk): Operation {
  return operation({
    operation_id: 'resume_endpoint',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/resume',
    tag: endpointTag,
    summary: 'Go on sending to a paused endpoint',
    description:
      'From where it stood, in order, one message at a time at first. One that was never verified is tested first.',
    scope: 'webhooks:admin',
    path_params: endpointPath,
    replies: { 200: { description: 'The endpoint as it stands now.', schema: EndpointSchema } },
    errors: ['not_found', 'stale_version'],
    reply_example: endpointExample,
    async run(call) {
      const command = changeOf(call as Call, 'endpoint.resume', call.path.endpoint_id, resumeEndpoint);
      return replyOf(await ledger.commit(command), call.rendering);
    },
  });
}

function postRotate(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'rotate_endpoint_secret',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/rotate-secret',
    tag: endpointTag,
    summary: 'Make a new signing secret',
    description:
      'For the overlap messages carry the signatures of both. A rotation within an overlap ends that of the oldest secret.',
    scope: 'webhooks:admin',
    path_params: endpointPath,
    body: RotateInput,
    replies: { 200: { description: 'The endpoint with its new secret.', schema: EndpointWithSecret } },
    errors: ['not_found', 'stale_version'],
    body_example: { overlap_s: 86_400 },
    reply_example: { ...endpointExample, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
    async run(call) {
      const id = call.path.endpoint_id;
      const { secret, secret_text } = newSecret(desk, call.caller.world_id, id);
      const command = changeOf(call as Call, 'endpoint.rotate_secret', id, (stored, moment) =>
        rotateSecret(stored, moment, secret, secret_text, call.body.overlap_s),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}
