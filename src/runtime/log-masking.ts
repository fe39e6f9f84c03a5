const longest = 16_384;

interface Mask {
  readonly pattern: RegExp;
  readonly by: string;
}

const compoundNames =
  'access[_-]?token|refresh[_-]?token|id[_-]?token|subject[_-]?token|actor[_-]?token|token[_-]?auth|client[_-]?secret|client[_-]?assertion|password|passwd|code[_-]?verifier|api[_-]?key';
const names = `(?:${compoundNames}|token|secret|pwd|assertion)`;

/** Each closes a way in which a secret has been seen to travel inside a text. */
const masks: readonly Mask[] = [
  { pattern: /\b(Bearer|Basic|DPoP)\s+[\w.~+/=:-]+/gi, by: '$1 [redacted]' },
  { pattern: /\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*){0,3}/g, by: '[redacted]' },
  { pattern: new RegExp(`("?\\b${names}"?\\s{0,9}[:=]\\s{0,9}")(?:[^"\\\\]|\\\\.)*`, 'gi'), by: '$1[redacted]' },
  { pattern: new RegExp(`('?\\b${names}'?\\s{0,9}[:=]\\s{0,9}')(?:[^'\\\\]|\\\\.)*`, 'gi'), by: '$1[redacted]' },
  { pattern: new RegExp(`(\\b${names}\\\\+["']\\s{0,9}:\\s{0,9}\\\\+["'])[^"'\\\\]*`, 'gi'), by: '$1[redacted]' },
  { pattern: new RegExp(`(\\b${names}\\s{0,9}=\\s{0,9})[^\\s&;,"')\\]}]+`, 'gi'), by: '$1[redacted]' },
  { pattern: new RegExp(`(\\b(?:${compoundNames})["']?\\s{0,9}:\\s{0,9})[^\\s&;,"')\\]}\\\\]+`, 'gi'), by: '$1[redacted]' },
  { pattern: /(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#]{1,512}@/gi, by: '$1[redacted]@' },
  { pattern: /(\/tokenservice\/refresh\/[^/\s?#"']{1,700}\/)[^\s?#"']+/gi, by: '$1[redacted]' },
  { pattern: /sealed:v1:[\w-]+:[\w-]+/g, by: '[redacted]' },
];

/** What every mask needs to find; most texts have none of it, and are done after one look. */
const suspicious = /bearer|basic|dpop|eyj|token(?!service)|service\/refresh|secret|pass|pwd|assertion|verifier|api[_-]?key|:\/\/|sealed:/i;

/**
 * A text with everything masked that looks like a credential: authorization schemes, JWTs, token and secret parameters in
 * form and JSON shape, user information in URLs, the token in the path of the refresh call, sealed values.
 * A last line of defence: it cannot know an opaque token that stands alone. Longer texts are cut at 16384 characters.
 */
export function maskText(text: string): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}... (${text.length - longest} more)` : text;
  if (!suspicious.test(cut)) return cut;
  return masks.reduce((masked, { pattern, by }) => masked.replace(pattern, by), cut);
}

const secretName = /(?:token|secret|password|passwd|pwd|passphrase|authorization|tokenauth|apikey|privatekey|credential|assertion|cookie|codeverifier)s?$/;
const numericSecret = /(?:password|passwd|pwd|passphrase|secret)$/;

/** Whether a field of this name must not be shown with this value. A number may stand under a token's name: it is a row or a count. */
export function mustHide(name: string, value: unknown): boolean {
  if (value === null || value === undefined || typeof value === 'boolean') return false;
  const plain = name.toLowerCase().replace(/[^a-z]/g, '');
  return typeof value === 'number' ? numericSecret.test(plain) : secretName.test(plain);
}
