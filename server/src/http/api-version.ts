// The versions of the API that exist, oldest first. A new one is a line here, and a converter of what differs.

export const API_VERSIONS = ['2026-11-01'] as const;

/** The newest: what a new key is answered in. */
export const API_VERSION: (typeof API_VERSIONS)[number] = '2026-11-01';
