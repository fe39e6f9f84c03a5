// What `helm test` asks: node check-release.mjs <url of the admin port> <url of the application port> [owner]
// Ends with 0 where the release is ready and hands out tokens. No token is ever shown.
const [admin, application, owner] = process.argv.slice(2);
const patience = { attempts: 15, pauseMs: Number(process.env.CHECK_PAUSE_MS ?? 2_000), timeoutMs: 5_000 };

await insist('ready', async () => {
  const { status, text } = await ask(`${admin}/ready`);
  return status === 200 ? undefined : `/ready says ${status}: ${text}`;
});
await insist(owner ? 'handing out tokens' : 'answering callers', async () => {
  const { status, text } = await ask(`${application}/tokenservice/${encodeURIComponent(owner || 'helm-test')}`);
  if (status === 200) return text.trim() === '' ? 'the answer is empty' : undefined;
  const refusal = /^TPS?\d{4}:.*/.exec(text)?.[0];
  // An unknown owner is refused by the service itself, so callers do reach it.
  return refusal?.startsWith('TPS0013') && !owner ? undefined : `/tokenservice says ${status}: ${refusal ?? 'not the service'}`;
});

async function insist(what, complaint) {
  for (let attempt = 1; ; attempt += 1) {
    const found = await complaint().catch((error) => `no answer: ${error.cause?.message ?? error.message}`);
    if (found === undefined) return console.log(`The release is ${what}.`);
    if (attempt === patience.attempts) return give(`The release is not ${what}: ${found}`);
    await new Promise((resolve) => setTimeout(resolve, patience.pauseMs));
  }
}

async function ask(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(patience.timeoutMs) });
  return { status: response.status, text: await response.text() };
}

function give(reason) {
  console.error(reason);
  process.exit(1);
}
