// Run while the image is built, as its owner: makes the links between PostgreSQL's libraries, which npm does not pack.

import { findPrograms } from '../server/src/db/embedded-files.ts';

await findPrograms('/data', null);
