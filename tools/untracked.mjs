// Loaded into every process of a whole run, before Node's test runner is: takes from it the hook by which it follows every
// promise and handle back to the test that made it, a tenth of all that a run costs. It serves one sentence: which test an error
// belongs to that nobody caught. Without it such an error still fails its file, and `node --test FILE` still names the test.

import hooks from 'node:async_hooks';

const { createHook } = hooks;
hooks.createHook = (callbacks) => {
  const hook = createHook(callbacks);
  const isOfRunner = new Error().stack.includes('node:internal/test_runner');
  return isOfRunner ? Object.assign(hook, { enable: () => hook }) : hook;
};
