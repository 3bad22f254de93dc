// The closed registry of reason codes: why something did not go as promised, and with which result it went well.
// A line belongs here if it says something about a code that holds for every job. What a code does to a task is in
// exception.ts; a tenant's own words are mapped onto these codes by `resolveReasonCode`, never the other way round.

export type ReasonGroup =
  | 'recipient'
  | 'site'
  | 'handover'
  | 'goods'
  | 'verification'
  | 'execution'
  | 'commercial'
  | 'other'
  | 'success';

/** What a person (or the channel's rule) usually does next about an exception of this code. */
export type NextStep =
  | 'retry'
  | 'reschedule'
  | 'reassign'
  | 'correct_address'
  | 'adopt'
  | 'return'
  | 'cancel'
  | 'fail'
  | 'none';

/** Who can say what it takes to go on. */
export type Answerable = 'shipper' | 'recipient' | 'carrier' | 'external';

export interface ReasonCodeFacts {
  group: ReasonGroup;
  applies_to: readonly ('pickup' | 'delivery')[];
  /** A blocking exception takes the task to `exception` until someone resolves it. */
  blocking: boolean;
  /** Whether another visit can succeed without changing anything but the time. */
  retryable: boolean;
  answerable: Answerable;
  requires: readonly ('photo' | 'note')[];
  next_step: NextStep;
  /** ANSI X12 transaction set 214: shipment status (element 1650) and reason (1651). Null: no sure equivalent. */
  x12_214: { status: string | null; reason: string | null } | null;
  /** GS1 Core Business Vocabulary disposition of the goods. Null: no sure equivalent. */
  gs1_cbv: string | null;
}

const both = ['pickup', 'delivery'] as const;
const pickup = ['pickup'] as const;
const delivery = ['delivery'] as const;
const none = [] as const;
const photo = ['photo'] as const;
const note = ['note'] as const;

type Options = Partial<Omit<ReasonCodeFacts, 'group' | 'x12_214' | 'gs1_cbv'>>;

/** AP: delivery not completed. Used where X12 has a reason of its own for a failed delivery. */
function because(reason: string, status = 'AP'): ReasonCodeFacts['x12_214'] {
  return { status, reason };
}

function groupOf(group: ReasonGroup, defaults: Required<Options>) {
  return (
    options: Options = {},
    x12_214: ReasonCodeFacts['x12_214'] = null,
    gs1_cbv: string | null = null,
  ): ReasonCodeFacts => ({ group, ...defaults, ...options, x12_214, gs1_cbv });
}

const recipient = groupOf('recipient', {
  applies_to: delivery,
  blocking: true,
  retryable: true,
  answerable: 'recipient',
  requires: none,
  next_step: 'retry',
});
const site = groupOf('site', {
  applies_to: both,
  blocking: true,
  retryable: true,
  answerable: 'recipient',
  requires: none,
  next_step: 'retry',
});
const handover = groupOf('handover', {
  applies_to: pickup,
  blocking: true,
  retryable: true,
  answerable: 'shipper',
  requires: none,
  next_step: 'retry',
});
const goods = groupOf('goods', {
  applies_to: both,
  blocking: true,
  retryable: false,
  answerable: 'carrier',
  requires: photo,
  next_step: 'return',
});
const verification = groupOf('verification', {
  applies_to: both,
  blocking: true,
  retryable: true,
  answerable: 'recipient',
  requires: none,
  next_step: 'retry',
});
const execution = groupOf('execution', {
  applies_to: both,
  blocking: false,
  retryable: true,
  answerable: 'carrier',
  requires: none,
  next_step: 'reassign',
});
const commercial = groupOf('commercial', {
  applies_to: both,
  blocking: true,
  retryable: false,
  answerable: 'shipper',
  requires: none,
  next_step: 'cancel',
});
const success = groupOf('success', {
  applies_to: delivery,
  blocking: false,
  retryable: false,
  answerable: 'carrier',
  requires: none,
  next_step: 'none',
});

/** D1: completed unloading at the delivery location. NS: normal status. */
const delivered = { status: 'D1', reason: 'NS' } as const;
/** CP: completed loading at the pick-up location. */
const loaded = { status: 'CP', reason: 'NS' } as const;

export const reasonCodes = {
  recipient_unavailable: recipient({}, because('AQ')),
  recipient_unreachable: recipient({}, because('AG')),
  refused_by_recipient: recipient({ retryable: false, next_step: 'return' }, { status: 'A7', reason: 'BS' }),
  rescheduled_by_recipient: recipient({ next_step: 'reschedule' }, because('AD')),
  no_authorised_recipient: recipient({}, because('AG')),
  uncollected: recipient({ retryable: false, next_step: 'return' }, because('C1')),

  address_not_found: site({ retryable: false, answerable: 'shipper', next_step: 'correct_address' }, because('A5')),
  address_incorrect: site({ retryable: false, answerable: 'shipper', next_step: 'correct_address' }, because('A2')),
  address_incomplete: site({ retryable: false, answerable: 'shipper', next_step: 'correct_address' }, because('A2')),
  access_denied: site({}, because('AG')),
  no_safe_place: site({ applies_to: delivery }),
  no_parking: site({ answerable: 'external' }),
  out_of_service_area: site({ retryable: false, answerable: 'carrier', next_step: 'return' }, because('AV')),
  outside_receiving_hours: site({ next_step: 'reschedule' }, because('B9')),
  dock_unavailable: site({ next_step: 'reschedule' }),
  no_appointment: site({ answerable: 'carrier', next_step: 'reschedule' }, because('HB')),
  appointment_missed: site({ answerable: 'carrier', next_step: 'reschedule' }, because('A1')),
  locker_full: site({ answerable: 'external' }),
  locker_out_of_order: site({ answerable: 'external' }),
  site_not_ready: site({ next_step: 'reschedule' }, because('AG')),
  unsafe_location: site({ answerable: 'carrier', requires: note }),

  premises_closed: handover({ applies_to: both, answerable: 'recipient' }, because('B1')),
  package_not_ready: handover({}, { status: 'SD', reason: 'AM' }),
  package_not_found: handover({}, { status: 'SD', reason: 'AM' }),
  item_missing: handover({ applies_to: both }, because('S1'), 'mismatch_quantity'),
  wrong_item: handover({ applies_to: both, retryable: false, requires: photo }, null, 'mismatch_class'),
  quantity_mismatch: handover({ applies_to: both, blocking: false }, null, 'mismatch_quantity'),
  return_not_ready: handover({ answerable: 'recipient' }),
  return_not_as_described: handover({ retryable: false, requires: photo, next_step: 'fail' }, null, 'non_conformant'),
  substitution_refused: handover(
    { applies_to: delivery, answerable: 'recipient', retryable: false, next_step: 'return' },
    { status: 'A7', reason: 'BS' },
  ),
  parcel_too_large: handover({ applies_to: both, next_step: 'reassign' }, because('AV')),
  documents_missing: handover({ applies_to: both }, because('BC')),

  damaged: goods({}, { status: 'A9', reason: null }, 'damaged'),
  lost: goods({ requires: note, next_step: 'fail' }, null, 'unknown'),
  stolen: goods({ requires: note, next_step: 'fail' }, null, 'stolen'),
  spoiled: goods({}, { status: 'A9', reason: null }, 'non_sellable_other'),
  temperature_excursion: goods({ requires: none }, null, 'non_conformant'),
  packaging_issue: goods({ blocking: false, retryable: true, next_step: 'none' }),
  leaking_or_unsafe: goods({}, { status: 'A9', reason: null }, 'damaged'),
  does_not_fit: goods({ applies_to: delivery, answerable: 'recipient', requires: none }),

  id_check_failed: verification({ applies_to: delivery }),
  age_check_failed: verification({ applies_to: delivery, retryable: false, next_step: 'return' }),
  pin_failed: verification(),
  payment_not_received: verification({ applies_to: delivery }, because('C9')),
  proof_missing: verification({ blocking: false, answerable: 'carrier', next_step: 'adopt' }),
  conflicting_report: verification({ blocking: false, answerable: 'carrier', next_step: 'adopt' }),

  vehicle_breakdown: execution({ blocking: true }, { status: 'SD', reason: 'AI' }),
  driver_unavailable: execution({ blocking: true }, { status: 'SD', reason: 'D2' }),
  driver_incident: execution({ blocking: true, requires: note }, { status: 'SD', reason: 'AH' }),
  traffic_delay: execution({ answerable: 'external', next_step: 'none' }, { status: 'SD', reason: 'BE' }),
  weather_delay: execution({ answerable: 'external', next_step: 'none' }, { status: 'SD', reason: 'AO' }),
  capacity_exceeded: execution({ blocking: true }, { status: 'SD', reason: 'AV' }),
  late_departure: execution({ next_step: 'none' }, { status: 'SD', reason: 'AJ' }),
  ran_out_of_time: execution({ blocking: true, next_step: 'retry' }, because('BH')),
  security_concern: execution({ blocking: true, requires: note, next_step: 'retry' }),
  missorted: execution({ blocking: true }, { status: 'SD', reason: 'AA' }),
  dispatch_error: execution({ blocking: true }, { status: 'SD', reason: 'D1' }),
  service_incomplete: execution({ applies_to: delivery, blocking: true, requires: note, next_step: 'reschedule' }),
  equipment_missing: execution({ blocking: true }, because('B8')),

  customs_hold: commercial(
    { retryable: true, answerable: 'external', next_step: 'reschedule' },
    { status: 'SD', reason: 'CA' },
  ),
  cancelled_by_shipper: commercial({}, { status: 'CA', reason: 'AM' }),
  cancelled_by_recipient: commercial({ answerable: 'recipient' }, { status: 'CA', reason: 'AG' }),
  cancelled_by_dispatch: commercial({ answerable: 'carrier' }, { status: 'CA', reason: 'AJ' }),
  duplicate_order: commercial({}, { status: 'CA', reason: 'AM' }),
  data_error: commercial({ next_step: 'correct_address' }, { status: 'SD', reason: 'BF' }),
  holiday: commercial({ retryable: true, answerable: 'external', next_step: 'reschedule' }, because('AN')),
  fraud_suspected: commercial({ requires: note }),

  other: groupOf('other', {
    applies_to: both,
    blocking: true,
    retryable: true,
    answerable: 'carrier',
    requires: note,
    next_step: 'retry',
  })({}, because('BG')),

  delivered_to_recipient: success({}, delivered),
  delivered_to_household: success({}, delivered),
  delivered_to_neighbour: success({}, { status: 'D1', reason: 'A3' }),
  delivered_to_reception: success({}, delivered),
  delivered_to_safe_place: success({}, delivered),
  delivered_to_mailbox: success({}, delivered),
  delivered_to_locker: success({}, delivered),
  delivered_to_pickup_point: success({}, delivered),
  collected_by_recipient: success({}, delivered),
  picked_up_from_person: success({ applies_to: pickup }, loaded, 'in_transit'),
  picked_up_unattended: success({ applies_to: pickup }, loaded, 'in_transit'),
  picked_up_from_locker: success({ applies_to: pickup }, loaded, 'in_transit'),
  returned_to_shipper: success({}, { status: 'A3', reason: 'BT' }, 'returned'),
  returned_to_hub: success({}, null, 'returned'),
  handed_to_driver: success({ applies_to: both }),
  handed_to_carrier: success({ applies_to: both }, { status: 'J1', reason: 'NS' }, 'in_transit'),
  disposed_of: success({ requires: note }, null, 'disposed'),
} as const satisfies Record<string, ReasonCodeFacts>;

export type ReasonCode = keyof typeof reasonCodes;

/** The facts of a code, with the type that all codes share. */
export function factsOf(code: ReasonCode): ReasonCodeFacts {
  return reasonCodes[code];
}

export const reasonCodeNames = Object.keys(reasonCodes) as readonly ReasonCode[];
/** Results of a visit that went well. */
export const successCodes = reasonCodeNames.filter((code) => factsOf(code).group === 'success');
/** Reasons for which one did not, or for which a task cannot go on. */
export const problemCodes = reasonCodeNames.filter((code) => factsOf(code).group !== 'success');

/** The groups of problems. */
export const problemGroups: readonly ReasonGroup[] = [...new Set(problemCodes.map((code) => factsOf(code).group))];

export function isReasonCode(text: string): text is ReasonCode {
  return Object.hasOwn(reasonCodes, text);
}

/**
 * The system code for a word of the tenant: the code itself, or the one onto which the channel maps it. Null when
 * neither knows it: an unmapped code is an error, never a default. A tenant cannot give a system code another meaning.
 */
export function resolveReasonCode(word: string, aliases: Readonly<Record<string, string>>): ReasonCode | null {
  if (isReasonCode(word)) return word;
  const mapped = Object.hasOwn(aliases, word) ? aliases[word] : undefined;
  return mapped !== undefined && isReasonCode(mapped) ? mapped : null;
}

/** How long someone has to answer an exception of a standard job, by what it keeps from moving. */
const RESPOND_BLOCKING_S = 3_600;
const RESPOND_GOODS_S = 1_800;
const RESPOND_NON_BLOCKING_S = 14_400;
/** Goods that are in danger and people who are: nobody should wait an hour. */
const RESPOND_DANGER_S = 600;
const dangers: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'driver_incident',
  'leaking_or_unsafe',
  'security_concern',
  'temperature_excursion',
  'stolen',
]);
const sharesOfPriority = { urgent: 0.25, express: 0.5, standard: 1, economy: 2 } as const;

/** Seconds within which an exception of this code wants an answer on a job of this priority. */
export function respondWithinS(code: ReasonCode, priority: keyof typeof sharesOfPriority): number {
  const facts = factsOf(code);
  const base = dangers.has(code)
    ? RESPOND_DANGER_S
    : facts.group === 'goods'
      ? RESPOND_GOODS_S
      : facts.blocking
        ? RESPOND_BLOCKING_S
        : RESPOND_NON_BLOCKING_S;
  return base * sharesOfPriority[priority];
}
