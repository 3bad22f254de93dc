// The smallest order that is complete, for tests that need many of them.

export function orderInput(reference: string, change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    reference,
    priority: 'standard',
    deliveries: [
      {
        service_window: { start: '2030-11-21T13:00:00Z', end: '2030-11-21T15:00:00Z' },
        address: {
          line1: 'Storgatan 1',
          city: 'Göteborg',
          postal_code: '411 24',
          country: 'SE',
          location: { lat: 57.7066, lng: 11.9672 },
          precision: 'rooftop',
          access: null,
        },
        contact: {
          name: `Recipient of ${reference}`,
          phone: '+46701234567',
          contact_policy: { ways: [], language: 'sv' },
        },
        proof_requirements: { on_completion: {}, on_failure: {} },
        items: [{ name: 'Parcel', quantity: 1, weight_g: 1200 }],
      },
    ],
    ...change,
  };
}
