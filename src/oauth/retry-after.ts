const longestMs = 3_600_000;

/**
 * `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.
 * @param now epoch ms @returns 0 to 3 600 000 ms; null where the header is absent or unreadable
 */
export function retryAfterMs(header: string | undefined, now: number): number | null {
  const text = header?.trim() ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : httpDate(text) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), longestMs);
}

/** `Date.parse` alone takes many a number for a date. */
function httpDate(text: string): number {
  return / GMT$/.test(text) ? Date.parse(text) : NaN;
}
