// Writes docs/config.md from the table of settings.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderConfigPage } from '../server/src/operate/settings.ts';

writeFileSync(join(import.meta.dirname, '../docs/config.md'), renderConfigPage());
