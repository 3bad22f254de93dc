// `npm run check`: the rules of the house without the tests.

import { becomeProgram } from './launch.mjs';

becomeProgram('tools/test-all.ts', ['--checks']);
