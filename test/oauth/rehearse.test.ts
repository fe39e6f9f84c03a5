import { expect, test } from 'vitest';

import type { TokenAnswer } from '../../src/domain/refresh-outcome.ts';
import { rehearse } from '../../src/oauth/rehearse.ts';
import { TokenEndpoint } from '../../src/oauth/token-endpoint.ts';

test('a rehearsal goes through whole requests, up to a token, and leaves no server behind', async () => {
  const endpoint = new TokenEndpoint({ connectTimeoutMs: 2000, answerTimeoutMs: 2000 });
  const answers: TokenAnswer[] = [];
  const urls: string[] = [];
  await rehearse({
    refresh: async (credentials, retryStatuses) => {
      urls.push(credentials.tokenUrl);
      const answer = await endpoint.refresh(credentials, retryStatuses);
      answers.push(answer);
      return answer;
    },
  });
  expect(answers.map(({ kind }) => kind)).toEqual(['granted', 'granted', 'granted']);
  expect(urls.every((url) => url.startsWith('http://127.0.0.1:'))).toBe(true);
  await expect(fetch(urls[0]!)).rejects.toThrow();
});
