// `npm test`: all set-up that tests need, then all tests. `npm test -- FILE…` runs some of them.

import { becomeProgram } from './launch.mjs';

becomeProgram('tools/test-all.ts', process.argv.slice(2));
