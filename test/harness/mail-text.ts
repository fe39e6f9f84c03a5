/** As much of MIME (RFC 2045 to 2047) as it takes to read the subject and the plain text of a mail. */
export interface MailText {
  readonly subject: string;
  readonly text: string;
  /** By lower-case name, unfolded, encoded words decoded; the first of several. */
  readonly headers: ReadonlyMap<string, string>;
}

export function readMail(source: string): MailText {
  const { headers, body } = split(source);
  return { subject: headers.get('subject') ?? '', text: plainText(headers, body), headers };
}

function split(source: string): { headers: ReadonlyMap<string, string>; body: string } {
  const unix = source.replaceAll('\r\n', '\n');
  const gap = unix.indexOf('\n\n');
  const head = gap < 0 ? unix : unix.slice(0, gap);
  const headers = new Map<string, string>();
  for (const line of head.replace(/\n[ \t]+/g, ' ').split('\n')) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    if (name && !headers.has(name)) headers.set(name, decodeWords(line.slice(name.length + 1).trim()));
  }
  return { headers, body: gap < 0 ? '' : unix.slice(gap + 2) };
}

/** Of several parts the first that has plain text. */
function plainText(headers: ReadonlyMap<string, string>, body: string): string {
  const type = headers.get('content-type') ?? 'text/plain';
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (boundary !== undefined) {
    const parts = body.split(`--${boundary}`).slice(1, -1).map((part) => split(part.replace(/^\n/, '')));
    const texts = parts.map((part) => plainText(part.headers, part.body));
    return texts.find((text) => text !== '')?.replace(/\n$/, '') ?? '';
  }
  return /^text\/plain/i.test(type) ? decodeBody(body, headers.get('content-transfer-encoding') ?? '7bit').toString('utf8') : '';
}

function decodeBody(body: string, encoding: string): Buffer {
  if (/base64/i.test(encoding)) return Buffer.from(body, 'base64');
  if (/quoted-printable/i.test(encoding)) return unquote(body.replace(/=[ \t]*\n/g, ''));
  return Buffer.from(body, 'latin1');
}

/** RFC 2047; blanks between two encoded words are not part of the text. */
function decodeWords(header: string): string {
  const joined = header.replace(/(\?=)[ \t]+(=\?)/g, '$1$2');
  return joined.replace(/=\?[^?]+\?([bq])\?([^?]*)\?=/gi, (_word, encoding: string, text: string) =>
    (encoding.toLowerCase() === 'b' ? Buffer.from(text, 'base64') : unquote(text.replaceAll('_', ' '))).toString('utf8'),
  );
}

function unquote(text: string): Buffer {
  return Buffer.from(text.replace(/=([0-9A-F]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), 'latin1');
}
