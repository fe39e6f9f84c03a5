import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until each node has handed out a token of each owner: one that it has never heard of it cannot hand out once it is cut off from both stores.
 * @throws where one does not in time
 */
export async function untilServed(appUrls: readonly string[], owners: readonly string[], patienceMs = 30_000): Promise<void> {
  const deadline = performance.now() + patienceMs;
  const byNode = async (appUrl: string): Promise<void> => {
    for (const owner of owners) {
      while (!(await isServed(`${appUrl}/tokenservice/${encodeURIComponent(owner)}`))) {
        if (performance.now() > deadline) throw new Error(`${appUrl} hands out no token of "${owner}"`);
        await sleep(50);
      }
    }
  };
  await Promise.all(appUrls.map(byNode));
}

async function isServed(url: string): Promise<boolean> {
  const answer = await fetch(url);
  await answer.arrayBuffer();
  return answer.ok;
}
