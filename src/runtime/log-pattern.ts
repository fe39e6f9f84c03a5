import { knownTimeZone } from './log-date.ts';

/** What a logback conversion word stands for. */
export type PieceWord = 'literal' | 'date' | 'level' | 'logger' | 'msg' | 'kvp' | 'ex' | 'nopex' | 'thread' | 'n' | 'empty';

export interface Piece {
  readonly word: PieceWord;
  readonly options: readonly string[];
  /** Smallest width; negative: filled on the right. */
  readonly least?: number | undefined;
  /** Greatest width; negative: cut on the right. */
  readonly most?: number | undefined;
}

const spellings: Readonly<Record<PieceWord, readonly string[]>> = {
  literal: [],
  date: ['d', 'date'],
  level: ['level', 'le', 'p'],
  logger: ['logger', 'lo', 'c'],
  msg: ['message', 'msg', 'm'],
  kvp: ['kvp'],
  ex: ['exception', 'throwable', 'ex', 'xException', 'xThrowable', 'xEx', 'rootException', 'rEx', 'wEx', 'wex', 'dwREx', 'dwEx', 'dwXEx'],
  nopex: ['nopexception', 'nopex'],
  thread: ['thread', 't'],
  n: ['n'],
  empty: ['mdc', 'X', 'marker', 'property', 'contextName', 'cn', 'relative', 'r', 'class', 'C', 'file', 'F', 'line', 'L', 'method', 'M', 'caller', 'micros', 'ms'],
};

const wordOf = new Map<string, PieceWord>(
  (Object.entries(spellings) as [PieceWord, readonly string[]][]).flatMap(([word, all]) => all.map((spelling): [string, PieceWord] => [spelling, word])),
);
/** Longest first: logback takes `%message` before `%m`, and `%msgid` as `%msg` followed by `id`. */
const longestFirst = [...wordOf.keys()].sort((a, b) => b.length - a.length);
const groups = /^(?:highlight|boldRed|boldGreen|boldYellow|boldBlue|boldMagenta|boldCyan|boldWhite|black|red|green|yellow|blue|magenta|cyan|white|gray)?\(/;

/** A logback layout pattern in pieces. Colours are dropped, their content kept; an unknown word stays as it is written. */
export function parsePattern(pattern: string): Piece[] {
  const pieces: Piece[] = [];
  let rest = pattern;
  let open = 0;
  while (rest !== '') {
    const [piece, length] = rest.startsWith('%') ? conversion(rest) : plain(rest, open > 0);
    if (piece === 'open') open += 1;
    else if (piece === 'close') open -= 1;
    else pieces.push(piece);
    rest = rest.slice(length);
  }
  return pieces;
}

type Step = readonly [Piece | 'open' | 'close', number];

function plain(rest: string, inGroup: boolean): Step {
  if (rest.startsWith('\\') && rest.length > 1) return [literal(escaped(rest[1] ?? '')), 2];
  if (inGroup && rest.startsWith(')')) return ['close', 1];
  const text = /^[^%\\)]+|^./s.exec(rest)?.[0] ?? rest;
  return [literal(text), text.length];
}

function escaped(character: string): string {
  return { n: '\n', t: '\t', r: '\r' }[character] ?? character;
}

function conversion(rest: string): Step {
  const width = /^%(-?\d+)?(?:\.(-?\d+))?/.exec(rest);
  const start = width?.[0].length ?? 1;
  const body = rest.slice(start);
  if (body.startsWith('%')) return [literal('%'), start + 1];
  const group = groups.exec(body);
  if (group) return ['open', start + group[0].length];
  const spelling = longestFirst.find((candidate) => body.startsWith(candidate));
  if (spelling === undefined) return [literal('%'), 1];
  const options = /^\{([^}]*)\}/.exec(body.slice(spelling.length));
  const word = wordOf.get(spelling) ?? 'empty';
  const piece: Piece = {
    word,
    options: word === 'date' ? dateOptions(options?.[1] ?? '') : optionsIn(options?.[1]),
    least: numberIn(width?.[1]),
    most: numberIn(width?.[2]),
  };
  return [piece, start + spelling.length + (options?.[0].length ?? 0)];
}

/** Pattern and zone. logback takes whatever follows a comma for a zone; here `HH:mm:ss,SSS` is the pattern it was meant to be. */
export function dateOptions(text: string): string[] {
  const comma = text.lastIndexOf(',');
  const zone = comma < 0 ? undefined : knownTimeZone(unquoted(text.slice(comma + 1)));
  return zone === undefined ? [unquoted(text)] : [unquoted(text.slice(0, comma)), zone];
}

function optionsIn(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').map(unquoted);
}

function unquoted(text: string): string {
  return text.trim().replace(/^"(.*)"$|^'(yyyy.*)'$/, (_, double: string | undefined, single: string | undefined) => double ?? single ?? '');
}

function numberIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function literal(text: string): Piece {
  return { word: 'literal', options: [text] };
}
