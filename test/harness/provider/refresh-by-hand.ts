/** A refresh as any OAuth2 client would send it, for tests of the token endpoints themselves. */
export interface PlainAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface RefreshRequest {
  readonly tokenUrl: string;
  readonly tokenAuth: string;
  readonly refreshToken: string;
}

export async function refreshByHand({ tokenUrl, tokenAuth, refreshToken }: RefreshRequest, signal?: AbortSignal): Promise<PlainAnswer> {
  const response = await fetch(tokenUrl, {
    method: 'POST',
    headers: { authorization: `Basic ${tokenAuth}` },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }),
    redirect: 'manual',
    ...(signal ? { signal } : {}),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

export interface TokenFields {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly expires_in?: unknown;
  readonly token_type?: string;
  readonly error?: string;
}

export function fieldsOf(answer: PlainAnswer): TokenFields {
  return JSON.parse(answer.text) as TokenFields;
}
