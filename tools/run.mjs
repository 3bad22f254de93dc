// Runs a program of this project on the pinned Node: node tools/run.mjs FILE [arguments]

import { becomeProgram } from './launch.mjs';

const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node tools/run.mjs FILE [arguments]\n');
  process.exit(2);
}
becomeProgram(file, args);
