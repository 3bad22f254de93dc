// Loaded before a program that `waypost run` runs: wherever its file lies, `@waypost/sdk` is that of this clone.

import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    const isSdk = /^@waypost\/sdk(?:\/|$)/.test(specifier);
    return next(specifier, isSdk ? { ...context, parentURL: import.meta.url } : context);
  },
});
