interface Range {
  readonly type: string;
  readonly quality: number;
}

/**
 * Whether a caller with this `Accept` header gets its body labelled `application/json` (RFC 9110 section 12.5.1).
 * JSON has to be asked for by name; where text is asked for as well, the higher quality wins, then the earlier.
 */
export function prefersJson(accept: string | undefined): boolean {
  if (accept === undefined || !/json/i.test(accept)) return false;
  const ranges = rangesOf(accept);
  const json = ranges.findIndex(({ type }) => type === 'application/json');
  const text = ranges.findIndex(({ type }) => type === 'text/plain');
  const jsonQuality = ranges[json]?.quality ?? 0;
  const textQuality = ranges[text]?.quality ?? 0;
  return jsonQuality > textQuality || (jsonQuality > 0 && jsonQuality === textQuality && json < text);
}

/** Whether the caller is a browser, which names `text/html`; tools that take anything are machines. */
export function prefersPage(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const ranges = rangesOf(accept);
  const quality = (wanted: string): number => ranges.find(({ type }) => type === wanted)?.quality ?? 0;
  return quality('text/html') > quality('application/json');
}

function rangesOf(accept: string): Range[] {
  return accept.toLowerCase().split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    return { type, quality: quality === undefined ? 1 : Number(quality.slice(2)) || 0 };
  });
}
