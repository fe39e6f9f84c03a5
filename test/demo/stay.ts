import { setTimeout as sleep } from 'node:timers/promises';

import { seconds } from './report.ts';
import type { Report } from './report.ts';
import { masterAmong } from './stage.ts';
import type { DemoNode, Stage } from './stage.ts';
import { orAborted } from './until.ts';

const startAgainAfterMs = 5000;
const lookEveryMs = 100;
const pruneEveryMs = 60_000;

/** What to try. */
export function invitation({ balancer, nodes, owners }: Stage, master: DemoNode | undefined, logFolder: string): string[] {
  const [owner = ''] = owners.names;
  const service = `${balancer.url}/tokenservice`;
  const admin = master?.process.adminUrl ?? nodes[0]?.process.adminUrl ?? '';
  return [
    `   one address  ${balancer.url}   (in a browser: ${balancer.url}/swagger)`,
    ...nodes.map((node) => `   ${node.name.padEnd(11)}  ${node.process.appUrl}   admin ${node.process.adminUrl}   pid ${node.process.pid}${node === master ? '   master' : ''}`),
    `   owners       ${owners.names.slice(0, 8).join(' ')}${owners.names.length > 8 ? ' ...' : ''}`,
    `   logs         ${logFolder}`,
    '',
    '   # a token; a new one in its place; the pool of the owner loaded anew',
    `   curl -sw "\\n" ${service}/${owner}`,
    `   curl -sw "\\n" -X PUT ${service}/refresh/${owner}/$(curl -s ${service}/${owner})`,
    `   curl -sw "\\n" -X PUT ${service}/restart/${owner}`,
    '',
    '   # who is master, how the stores are, what is counted',
    `   curl -sw "\\n" ${admin}/cluster`,
    `   curl -sw "\\n" ${admin}/healthcheck`,
    `   curl -s ${admin}/metrics | grep ^tokenpool_`,
    '',
    '   # kill the master while you read: no read fails, another node is master after 2 to 3 s,',
    `   # and the killed one is started again ${startAgainAfterMs / 1000} s later. What happens is told below.`,
    ...(master ? [`   kill -9 ${master.process.pid}`] : []),
    `   for i in $(seq 100); do curl -s -o /dev/null -w '%{http_code} ' ${service}/${owner}; sleep 0.1; done`,
  ];
}

/** Tells what happens to the cluster, and starts nodes that ended again, until `signal` aborts. */
export async function stay(stage: Stage, report: Report, logFolder: string, signal: AbortSignal): Promise<void> {
  report.heading('It all stays up until Ctrl-C. To try:');
  let master = await masterAmong(stage.nodes);
  report.block([...invitation(stage, master, logFolder), '']);
  const pruning = setInterval(() => { stage.oidc.prune(); }, pruneEveryMs);
  const care = stage.nodes.map((node) => keepRunning(node, report, signal));
  try {
    for (let lostAt = performance.now(); ; await sleep(lookEveryMs, undefined, { signal })) {
      const now = await masterAmong(stage.nodes);
      if (now && now !== master) report.say(`${now.name} (pid ${now.process.pid}) is master now, ${seconds(performance.now() - lostAt)} after the last was seen.`);
      if (now) [master, lostAt] = [now, performance.now()];
    }
  } finally {
    clearInterval(pruning);
    await Promise.allSettled(care);
  }
}

async function keepRunning(node: DemoNode, report: Report, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { code, signal: killedBy } = await orAborted(node.process.exited, signal);
    report.say(`${node.name} (pid ${node.process.pid}) has ended (${killedBy ?? `exit code ${code}`}); it is started again in ${startAgainAfterMs / 1000} s.`);
    await sleep(startAgainAfterMs, undefined, { signal });
    node.process = await node.process.again();
    await orAborted(node.process.waitReady().then(() => `is back, pid ${node.process.pid}`, (error: unknown) => String(error)), signal).then((how) => { report.say(`${node.name} ${how}.`); });
  }
}
