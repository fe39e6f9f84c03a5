const minute = 60_000;
const quarter = 15 * minute;
const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const formats = new Map<string, Intl.DateTimeFormat>();
const lastOffsets = new Map<string, { readonly quarter: number; readonly offset: number }>();

/** Names that logback gives to patterns. */
const named: Readonly<Record<string, string>> = {
  '': 'yyyy-MM-dd HH:mm:ss,SSS',
  ISO8601: 'yyyy-MM-dd HH:mm:ss,SSS',
  STRICT: "yyyy-MM-dd'T'HH:mm:ss,SSS",
  ABSOLUTE: 'HH:mm:ss,SSS',
  DATE: 'dd MMM yyyy HH:mm:ss,SSS',
};

/**
 * The zone as {@link isoTime} and {@link javaDate} take it, or undefined where there is none of that name.
 * Takes IANA names, offsets, Java's `GMT+5:30` and `system`.
 */
export function knownTimeZone(name: string): string | undefined {
  if (/^(?:system|local)$/i.test(name)) return new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const offset = /^(?:GMT|UTC)?([+-])(\d{1,2})(?::?(\d{2}))?$/i.exec(name);
  const zone = offset ? `${offset[1] ?? ''}${(offset[2] ?? '').padStart(2, '0')}:${offset[3] ?? '00'}` : name;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
    return /^(?:utc|gmt|zulu|etc\/utc)$/i.test(zone) ? 'UTC' : zone;
  } catch {
    return undefined;
  }
}

/** ISO 8601 with milliseconds in the zone: `...Z` for UTC, else its offset. */
export function isoTime(time: number, timeZone: string): string {
  const offset = offsetOf(time, timeZone);
  const local = new Date(time + offset).toISOString();
  return offset === 0 ? local : local.slice(0, -1) + offsetText(offset, ':');
}

/** A date by a Java pattern (`SimpleDateFormat` letters `y M d H h m s S a E D z Z X`, quoted literals), English names. */
export function javaDate(time: number, pattern: string, timeZone: string): string {
  const offset = offsetOf(time, timeZone);
  const local = new Date(time + offset);
  const letters = named[pattern] ?? pattern;
  return letters.replace(/'((?:[^']|'')*)'|([A-Za-z])\2*/g, (found, literal: string | undefined) => {
    if (literal !== undefined) return literal === '' ? "'" : literal.replaceAll("''", "'");
    return field(found, local, offset, timeZone);
  });
}

function field(letters: string, local: Date, offset: number, timeZone: string): string {
  const width = letters.length;
  const padded = (value: number): string => String(value).padStart(width, '0');
  switch (letters[0]) {
    case 'y':
    case 'u':
      return width === 2 ? String(local.getUTCFullYear()).slice(-2) : padded(local.getUTCFullYear());
    case 'M':
      return width < 3 ? padded(local.getUTCMonth() + 1) : name(months, local.getUTCMonth(), width);
    case 'd':
      return padded(local.getUTCDate());
    case 'D':
      return padded(Math.floor((local.getTime() - Date.UTC(local.getUTCFullYear(), 0, 1)) / 86_400_000) + 1);
    case 'E':
      return name(days, local.getUTCDay(), width);
    case 'H':
      return padded(local.getUTCHours());
    case 'h':
      return padded(local.getUTCHours() % 12 || 12);
    case 'a':
      return local.getUTCHours() < 12 ? 'AM' : 'PM';
    case 'm':
      return padded(local.getUTCMinutes());
    case 's':
      return padded(local.getUTCSeconds());
    case 'S':
      return String(local.getUTCMilliseconds()).padStart(3, '0').slice(0, width).padEnd(width, '0');
    case 'z':
      return timeZone;
    case 'Z':
      return offsetText(offset, '');
    case 'X':
      return offset === 0 ? 'Z' : offsetText(offset, width === 3 ? ':' : '').slice(0, width === 1 ? 3 : undefined);
    default:
      return letters;
  }
}

function name(names: readonly string[], index: number, width: number): string {
  return (names[index] ?? '').slice(0, width > 3 ? undefined : 3);
}

function offsetText(offset: number, separator: string): string {
  const minutes = Math.abs(Math.round(offset / minute));
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${separator}${two(minutes % 60)}`;
}

/** ms to add to UTC. Zones change their offset on quarters of an hour only, so one calculation a quarter is enough. */
function offsetOf(time: number, timeZone: string): number {
  if (timeZone === 'UTC') return 0;
  const last = lastOffsets.get(timeZone);
  const bucket = Math.floor(time / quarter);
  if (last?.quarter === bucket) return last.offset;
  const offset = calculateOffset(time, timeZone);
  lastOffsets.set(timeZone, { quarter: bucket, offset });
  return offset;
}

function calculateOffset(time: number, timeZone: string): number {
  const wholeSecond = Math.floor(time / 1000) * 1000;
  const parts = new Map(formatOf(timeZone).formatToParts(wholeSecond).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')) - wholeSecond;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone, hourCycle: 'h23', calendar: 'gregory', numberingSystem: 'latn',
    year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
  });
  formats.set(timeZone, format);
  return format;
}
