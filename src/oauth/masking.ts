import type { Secret } from '../domain/secret.ts';

const mask = '***';
/** What could be a token, whoever it belongs to. */
const opaque = /[\w.~+/=-]{20,}/g;
const descriptionLength = 120;

/** `error` as it may be shown: a short word (RFC 6749 section 5.2) that holds none of the secrets. */
export function shownError(error: string, secrets: readonly Secret[]): string {
  return /^[\w.-]{1,64}$/.test(error) && maskSecrets(error, secrets) === error ? error : 'an error that is not shown';
}

/** A provider's own words as they may be shown: without the secrets and whatever looks like one, in one line, at most 120 characters. */
export function shownDescription(description: string, secrets: readonly Secret[]): string {
  const line = maskSecrets(description, secrets).replaceAll(opaque, mask).replace(/[\p{C}\p{Z}\s]+/gu, ' ').trim();
  return line.slice(0, descriptionLength);
}

/** Each secret is looked for as it is and as it stands in a form or a URL. */
function maskSecrets(text: string, secrets: readonly Secret[]): string {
  const forms = secrets.flatMap((secret) => [secret.reveal(), encodeURIComponent(secret.reveal().toWellFormed())]).filter((form) => form !== '');
  return forms.sort((a, b) => b.length - a.length).reduce((masked, form) => masked.replaceAll(form, mask), text);
}
