// The smallest orders that are complete, as plain data that a test may change.

/** An order as the example of the docs has it: with a photo to be taken, and something to say about the access. */
// biome-ignore lint/suspicious/noExplicitAny: tests break it in every way
export function orderOf(reference: string, channel_id: string): any {
  return { reference, channel_id, priority: 'standard', deliveries: [deliveryOf()] };
}

// biome-ignore lint/suspicious/noExplicitAny: tests break it in every way
export function deliveryOf(): any {
  return {
    service_window: { start: '2030-11-21T13:00:00Z', end: '2030-11-21T15:00:00Z' },
    address: {
      line1: 'Storgatan 1',
      city: 'Göteborg',
      postal_code: '411 24',
      country: 'SE',
      location: { lat: 57.7066, lng: 11.9672 },
      precision: 'rooftop',
      access: { notes: 'Ring twice' },
    },
    contact: { name: 'A. Berg', phone: '+46701234567', contact_policy: { ways: ['sms'], language: 'sv' } },
    proof_requirements: { on_completion: { photo: { level: 'required' } }, on_failure: {} },
    items: [{ name: 'Parcel', quantity: 1, weight_g: 1200 }],
  };
}

/** An order that nothing is asked of at the door, for tests that need many of them. */
export function orderInput(reference: string, change: Record<string, unknown> = {}): Record<string, unknown> {
  const delivery = deliveryOf();
  return {
    reference,
    priority: 'standard',
    deliveries: [
      {
        ...delivery,
        address: { ...delivery.address, access: null },
        contact: {
          ...delivery.contact,
          name: `Recipient of ${reference}`,
          contact_policy: { ways: [], language: 'sv' },
        },
        proof_requirements: { on_completion: {}, on_failure: {} },
      },
    ],
    ...change,
  };
}
