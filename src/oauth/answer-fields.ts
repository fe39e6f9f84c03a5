/** What a token endpoint wrote into its answer, read as tolerantly as is safe. */
export interface AnswerFields {
  readonly accessToken: string | undefined;
  readonly refreshToken: string | undefined;
  /** As it stands: a number, a text, or whatever else came. */
  readonly expiresIn: unknown;
  /** Lower case; undefined where the answer spells out no error. */
  readonly error: string | undefined;
  readonly description: string | undefined;
}

/**
 * Reads a body as JSON (RFC 6749 section 5) or, as GitHub and early providers answer, as a form; the content type is not trusted.
 * @returns undefined where it is neither
 */
export function answerFields(body: string): AnswerFields | undefined {
  const text = body.replace(/^\uFEFF/, '').trim();
  const fields = text.startsWith('{') ? fromJson(text) : fromForm(text);
  if (fields === undefined) return undefined;
  return {
    accessToken: textOf(fields['access_token']),
    refreshToken: textOf(fields['refresh_token']),
    expiresIn: fields['expires_in'],
    error: errorOf(fields),
    description: textOf(fields['error_description']),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fromJson(text: string): Fields | undefined {
  try {
    return JSON.parse(text) as Fields;
  } catch {
    return undefined;
  }
}

/** Web pages hold `=` and `&` too. */
function fromForm(text: string): Fields | undefined {
  if (/[<>"\s]/.test(text)) return undefined;
  const form = new URLSearchParams(text);
  return form.has('access_token') || form.has('error') ? Object.fromEntries(form) : undefined;
}

/** Slack answers `"ok": false`, at times with nothing beside it. */
function errorOf(fields: Fields): string | undefined {
  return textOf(fields['error'])?.toLowerCase() ?? (fields['ok'] === false ? 'not_ok' : undefined);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
