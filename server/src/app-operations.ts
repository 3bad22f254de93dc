// Every operation of the API, with what its rooms need: a new file of routes is listed here and nowhere else.

import { keyOperations } from './access/key.routes.ts';
import { policyOf } from './access/key-age.ts';
import type { House } from './app.ts';
import { auditOperations } from './audit/audit.routes.ts';
import { channelOperations } from './channels/channel.routes.ts';
import { findChannel } from './channels/channel.store.ts';
import { resolveBySystem } from './destinations/checked-address.ts';
import { consumerOperations } from './events/consumer.routes.ts';
import { eventOperations } from './events/event.routes.ts';
import { HEARTBEAT_MS, streamEvents } from './events/event-stream.loop.ts';
import { eventStreamOperations } from './events/event-stream.routes.ts';
import { jobEventOperations } from './events/job-event.routes.ts';
import { findPastJob } from './events/log.store.ts';
import { proofOperations } from './events/proof.routes.ts';
import type { PullContext } from './events/pull-query.routes.ts';
import { driverOperations } from './fleet/driver.routes.ts';
import { hubOperations } from './fleet/hub.routes.ts';
import { hubBook } from './fleet/hub.store.ts';
import { vehicleOperations } from './fleet/vehicle.routes.ts';
import type { Operation } from './http/operation.ts';
import { applyPartyOperations } from './jobs/apply-party.routes.ts';
import { exceptionOperations } from './jobs/exception.routes.ts';
import { jobOperations, openJobReading } from './jobs/job.routes.ts';
import { jobBatchOperations } from './jobs/job-batch.routes.ts';
import { jobEditOperations } from './jobs/job-edit.routes.ts';
import { jobListOperations } from './jobs/job-list.routes.ts';
import { jobValidateOperations } from './jobs/job-validate.routes.ts';
import { proposalOperations } from './jobs/proposal.routes.ts';
import { isReasonCode } from './jobs/reason-codes.ts';
import { stateMachineOperations } from './jobs/state-machine.routes.ts';
import { transitionOperations } from './jobs/transition.routes.ts';
import { transitionBatchOperations } from './jobs/transition-batch.routes.ts';
import { addressValidateOperations } from './parties/address-validate.routes.ts';
import { customerOperations } from './parties/customer.routes.ts';
import { openContactBook } from './parties/customer.store.ts';
import { addressOperations } from './parties/saved-address.routes.ts';
import { addresses } from './parties/saved-address.store.ts';
import { asyncApiOperations } from './webhooks/asyncapi.routes.ts';
import { deadLetterOperations } from './webhooks/dead-letter.routes.ts';
import { endpointOperations } from './webhooks/endpoint.routes.ts';
import { findFilter } from './webhooks/endpoint.store.ts';
import { endpointActions } from './webhooks/endpoint-action.routes.ts';
import { describeWebhooks } from './webhooks/event-catalogue.ts';
import { catalogueOf, eventTypeOperations } from './webhooks/event-type.routes.ts';
import { messageOperations } from './webhooks/message.routes.ts';
import { receiptOperations } from './webhooks/receipt.routes.ts';
import { replayOperations } from './webhooks/replay.routes.ts';
import { signingKeyOperations } from './webhooks/signing-key.routes.ts';
import { traceOperations } from './webhooks/trace.routes.ts';
import { transformOperations } from './webhooks/transform.routes.ts';

/** Every operation of the API. What events look like is read off those that serve the same objects. */
export function listOperations(house: House): Operation[] {
  const serving = listServing(house);
  const catalogue = catalogueOf(serving);
  return [...serving, ...eventTypeOperations(catalogue), ...asyncApiOperations(catalogue)];
}

/** Section `webhooks` of the OpenAPI document. */
export function listWebhooks(operations: readonly Operation[]): Record<string, unknown> {
  return describeWebhooks(catalogueOf(operations));
}

function listServing(house: House): Operation[] {
  const { reads, ledger, keys } = house;
  const desk = { reads, keys, ledger };
  const contactBook = openContactBook(house.deriveKey('contacts'));
  const addressBook = { addresses, stateKind: contactBook.stateKind };
  const jobDesk = {
    ...desk,
    books: { contacts: contactBook, addresses, hubs: hubBook },
    pin_key: house.deriveKey('pins'),
  };
  const pull: PullContext = {
    reads,
    keys,
    filterOfEndpoint: (worldId, endpointId) => findFilter(reads, worldId, endpointId),
  };
  const endpointDesk = { reads, ledger, egress: house.egress, resolve: resolveBySystem, tester: house.tester };
  const jobReading = openJobReading({ ...jobDesk, findPast: (...asked) => findPastJob(reads, ...asked) });
  return [
    ...eventOperations({ ...pull, cursors: house.consumerCursors }),
    ...proofOperations({ reads }),
    ...consumerOperations({ reads, ledger, cursors: house.consumerCursors }),
    ...eventStreamOperations({
      ...pull,
      streamEvents: (wish) => streamEvents({ reads, keys, feed: house.feed, heartbeatMs: HEARTBEAT_MS }, wish),
    }),
    ...keyOperations({
      reads,
      ledger,
      policy: policyOf(house.config),
      nowMs: () => Date.now(),
      channelExists: async (worldId, id) => (await findChannel(reads, worldId, id)) !== null,
    }),
    ...customerOperations(desk, contactBook),
    ...addressOperations(desk, addressBook),
    ...addressValidateOperations(desk, addressBook),
    ...hubOperations(desk),
    ...driverOperations(desk),
    ...vehicleOperations(desk),
    ...channelOperations({ ...desk, isReasonCode, hubKind: hubBook.hubs.kind }),
    ...jobOperations(jobReading),
    ...jobListOperations(jobReading),
    ...jobBatchOperations(jobDesk),
    ...jobValidateOperations(jobDesk),
    ...jobEditOperations(jobDesk),
    ...applyPartyOperations(jobDesk),
    ...proposalOperations(jobDesk),
    ...transitionOperations(jobDesk),
    ...transitionBatchOperations(jobDesk),
    ...exceptionOperations(jobDesk),
    ...stateMachineOperations(),
    ...jobEventOperations({ reads, keys }),
    ...endpointOperations(endpointDesk),
    ...endpointActions(endpointDesk),
    ...signingKeyOperations(endpointDesk),
    ...transformOperations({ reads, keys, transforms: house.transforms }),
    ...messageOperations(reads),
    ...traceOperations(reads),
    ...receiptOperations(reads),
    ...deadLetterOperations({ reads, ledger }),
    ...replayOperations({ reads, ledger }),
    ...auditOperations({ reads, keys }),
  ];
}
