/** Makes the files of the chart that nobody writes by hand: `node test/helm/generate.ts`. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { chart } from './chart.ts';
import { madeFiles, strayScripts } from './chart-files.ts';

for (const { path, content } of madeFiles()) writeFileSync(join(chart, path), content);
for (const name of strayScripts()) rmSync(join(chart, 'files/dbscripts', name));
