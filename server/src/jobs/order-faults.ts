// What a schema cannot say about an order: windows, names that must lead somewhere, contacts that must be reachable,
// proof that fits. Every fault is found at once, with its pointer into the request. Whatever needs a look at the world
// around the order (hubs, customers, who holds the reference) is in order.ts and create-job.ts.

import type { Fault } from '../errors.ts';
import { addressOf, checkAddress } from '../parties/address.ts';
import type { ContactInput } from '../parties/contact.schema.ts';
import { checkMetadata } from '../parties/fields.ts';
import type { ItemInput } from './item.schema.ts';
import type { JobInput } from './job.schema.ts';
import { TASKS_MAX } from './job.schema.ts';
import { findLinkFaults } from './order-links.ts';
import { pinOfPhone } from './pin.ts';
import type { ProofRequirementsInput, RequirementSetInput } from './proof.schema.ts';
import { factsOf, successCodes } from './reason-codes.ts';
import type { DeliveryInput, PickupInput } from './task.schema.ts';
import { ITEMS_MAX } from './task.schema.ts';

export const FAULTS_MAX = 100;

export type AddFault = (pointer: string, code: string, message: string) => void;

const currencies = new Set(Intl.supportedValuesOf('currency'));
const deliveryOutcomes = new Set<string>(successCodes.filter((code) => factsOf(code).applies_to.includes('delivery')));

/** Faults of the order by itself. `contactOf` finds the phone and e-mail of a customer who is named by id. */
export function findOrderFaults(order: JobInput, contactOf: (customerId: string) => ContactLike | null): Fault[] {
  const faults: Fault[] = [];
  const add: AddFault = (pointer, code, message) => {
    if (faults.length < FAULTS_MAX) faults.push({ pointer, code, message });
  };
  const pickups = order.pickups ?? [];
  faults.push(...checkMetadata(order.metadata ?? {}, '/metadata'));
  pickups.forEach((task, index) => {
    checkTask(task, `/pickups/${index}`, contactOf, faults, add);
  });
  order.deliveries.forEach((task, index) => {
    checkTask(task, `/deliveries/${index}`, contactOf, faults, add);
    checkDelivery(task, `/deliveries/${index}`, add);
  });
  const tasks = pickups.length + order.deliveries.length;
  if (tasks > TASKS_MAX)
    add(
      '/deliveries',
      'too_many_tasks',
      `a job has at most ${TASKS_MAX} tasks; these are ${tasks}: use group_reference`,
    );
  const items = order.deliveries.reduce((sum, task) => sum + (task.items?.length ?? 0), 0);
  if (items > ITEMS_MAX)
    add(
      '/deliveries',
      'too_many_items',
      `a job has at most ${ITEMS_MAX} items; these are ${items}: use group_reference`,
    );
  findLinkFaults(order, add);
  return faults.slice(0, FAULTS_MAX);
}

export interface ContactLike {
  phone: string | null;
  email: string | null;
  contact_policy: { ways: readonly string[] } | null;
}

export type FindContact = (customerId: string) => ContactLike | null;

function checkTask(
  task: PickupInput | DeliveryInput,
  pointer: string,
  contactOf: FindContact,
  faults: Fault[],
  add: AddFault,
): void {
  checkWindow(task.service_window, `${pointer}/service_window`, add);
  if (task.metadata !== undefined) faults.push(...checkMetadata(task.metadata, `${pointer}/metadata`));
  if ((task.address === undefined) === (task.address_id === undefined))
    add(`${pointer}/address`, 'address_or_address_id', 'state either address or address_id');
  if (task.address !== undefined) faults.push(...checkAddress(addressOf(task.address, null), `${pointer}/address`));
  const contact = checkContact(task, pointer, contactOf, add);
  checkProof(task.proof_requirements, `${pointer}/proof_requirements`, contact, add);
}

export function checkWindow(window: { start: string; end: string }, pointer: string, add: AddFault): void {
  if (Date.parse(window.end) <= Date.parse(window.start))
    add(`${pointer}/end`, 'window_reversed', 'must be later than start');
}

/** `contact`: of the task; null when it is not known, which is a fault of its own. */
export function checkProof(
  asked: ProofRequirementsInput,
  pointer: string,
  contact: Pick<ContactLike, 'phone'> | null,
  add: AddFault,
): void {
  checkRequirements(asked.on_completion, `${pointer}/on_completion`, contact, add);
  checkRequirements(asked.on_failure, `${pointer}/on_failure`, contact, add);
  if (asked.on_failure.pin !== undefined)
    add(`${pointer}/on_failure/pin`, 'pin_on_failure', 'a PIN proves a handover, so only on completion');
}

/** One of contact and customer_id, reachable as its policy says. Answers who that is; null when that is unclear. */
export function checkContact(
  task: Pick<PickupInput, 'contact' | 'customer_id' | 'contact_policy'>,
  pointer: string,
  contactOf: FindContact,
  add: AddFault,
): ContactLike | null {
  const { contact, customer_id, contact_policy } = task;
  if ((contact === undefined) === (customer_id === undefined)) {
    add(`${pointer}/contact`, 'contact_or_customer_id', 'state either contact or customer_id');
    return null;
  }
  if (contact !== undefined) {
    if (contact_policy !== undefined)
      add(
        `${pointer}/contact_policy`,
        'policy_twice',
        'belongs inside contact; beside customer_id it stands for the customer',
      );
    const own = inlineContact(contact);
    checkWays(own, contact.contact_policy.ways, `${pointer}/contact`, add);
    return own;
  }
  const known = contactOf(customer_id ?? '');
  if (known === null) {
    add(`${pointer}/customer_id`, 'unknown_reference', `there is no customer ${customer_id}`);
    return null;
  }
  const ways = contact_policy?.ways ?? known.contact_policy?.ways;
  if (ways === undefined)
    add(`${pointer}/contact_policy`, 'required', 'must be stated: this customer has no contact policy of its own');
  else checkCustomerWays(known, ways, `${pointer}/customer_id`, add);
  return known;
}

function inlineContact(contact: ContactInput): ContactLike {
  return { phone: contact.phone ?? null, email: contact.email ?? null, contact_policy: contact.contact_policy };
}

export function checkWays(
  contact: Pick<ContactLike, 'phone' | 'email'>,
  ways: readonly string[],
  pointer: string,
  add: AddFault,
): void {
  const needsPhone = ways.filter((way) => way === 'sms' || way === 'call');
  if (needsPhone.length > 0 && contact.phone === null)
    add(
      `${pointer}/phone`,
      'way_without_number',
      `must be stated: the contact policy allows ${needsPhone.join(' and ')}`,
    );
  if (ways.includes('email') && contact.email === null)
    add(`${pointer}/email`, 'way_without_number', 'must be stated: the contact policy allows email');
}

/** The same of a customer who is named by id: the order has no member of theirs that a fault could point to. */
function checkCustomerWays(known: ContactLike, ways: readonly string[], pointer: string, add: AddFault): void {
  checkWays(known, ways, '', (member, code) => {
    add(pointer, code, `names a customer without the ${member.slice(1)} that the contact policy needs`);
  });
}

function checkRequirements(
  asked: RequirementSetInput,
  pointer: string,
  contact: Pick<ContactLike, 'phone'> | null,
  add: AddFault,
): void {
  const { pin, temperature } = asked;
  if (pin?.kind === 'supplied' && pin.value === undefined)
    add(`${pointer}/pin/value`, 'required', 'must be stated with kind supplied');
  if (pin?.kind === 'phone') {
    if (pin.value !== undefined) add(`${pointer}/pin/value`, 'pin_value_unused', 'goes with kind supplied only');
    if (contact !== null && pinOfPhone(contact.phone) === null)
      add(`${pointer}/pin/kind`, 'pin_without_phone', 'needs a contact with a telephone number');
  }
  if (temperature !== undefined) checkRange(temperature, `${pointer}/temperature`, add);
}

function checkRange(range: { min_c?: number | null; max_c?: number | null }, pointer: string, add: AddFault): void {
  if (typeof range.min_c === 'number' && typeof range.max_c === 'number' && range.min_c > range.max_c)
    add(`${pointer}/max_c`, 'range_reversed', 'must not be lower than min_c');
}

/** What goods and money ask of the proof, and names of outcomes. */
export function checkDelivery(
  task: Pick<DeliveryInput, 'minimum_age' | 'items' | 'cash_on_delivery' | 'handover' | 'proof_requirements'>,
  pointer: string,
  add: AddFault,
): void {
  const { on_completion } = task.proof_requirements;
  const ages = [task.minimum_age ?? 0, ...(task.items ?? []).map((item) => item.minimum_age ?? 0)];
  const oldest = Math.max(...ages);
  if (oldest > 0) {
    const check = on_completion.id_check;
    if (check?.level !== 'required' || (check.minimum_age ?? 0) < oldest)
      add(
        `${pointer}/proof_requirements/on_completion/id_check`,
        'age_check_missing',
        `must be required with minimum_age ${oldest} or more: something here is not for younger people`,
      );
  }
  if (task.cash_on_delivery != null) {
    checkCurrency(task.cash_on_delivery.currency, `${pointer}/cash_on_delivery/currency`, add);
    if (on_completion.cash?.level !== 'required')
      add(
        `${pointer}/proof_requirements/on_completion/cash`,
        'cash_proof_missing',
        'must be required: there is cash_on_delivery',
      );
  }
  task.handover?.allowed_outcomes?.forEach((outcome, index) => {
    if (!deliveryOutcomes.has(outcome))
      add(
        `${pointer}/handover/allowed_outcomes/${index}`,
        'unknown_outcome',
        `${outcome} is not a code with which a delivery can end well: see GET /v1/reason-codes`,
      );
  });
  task.items?.forEach((item, index) => {
    checkItem(item, `${pointer}/items/${index}`, add);
  });
}

function checkItem(item: ItemInput, pointer: string, add: AddFault): void {
  if (item.temperature != null) checkRange(item.temperature, `${pointer}/temperature`, add);
  const isDeclared = item.declared_value_minor != null;
  if (isDeclared && item.currency == null)
    add(`${pointer}/currency`, 'required', 'must be stated with declared_value_minor');
  if (!isDeclared && item.currency != null)
    add(`${pointer}/declared_value_minor`, 'required', 'must be stated with currency');
  if (item.currency != null) checkCurrency(item.currency, `${pointer}/currency`, add);
}

function checkCurrency(currency: string, pointer: string, add: AddFault): void {
  if (!currencies.has(currency)) add(pointer, 'unknown_currency', `${currency} is not a currency of ISO 4217`);
}
