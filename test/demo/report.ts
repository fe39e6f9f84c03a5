/** Where the report goes; stdout is one. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ReportOptions {
  /** Whether a line may be written over, default: on a terminal that is not `dumb`. */
  readonly inPlace?: boolean;
  /** Monotonic, ms. */
  readonly now?: () => number;
}

export interface Row {
  readonly label: string;
  readonly value: string;
  readonly note?: string;
}

const repeatEveryMs = 10_000;
const redrawEveryMs = 250;

/** Plain text, one fact a line, each with the seconds since the start. */
export class Report {
  readonly #screen: Screen;
  readonly #inPlace: boolean;
  readonly #now: () => number;
  readonly #startedAt: number;
  #steps = 0;
  #drawn = 0;
  #waiting = { what: '', at: 0 };

  constructor(screen: Screen, { inPlace = screen.isTTY === true && process.env['TERM'] !== 'dumb', now = () => performance.now() }: ReportOptions = {}) {
    this.#screen = screen;
    this.#inPlace = inPlace;
    this.#now = now;
    this.#startedAt = now();
  }

  title(text: string): void {
    this.#line(text);
  }

  step(title: string): void {
    this.#line(`\n${++this.#steps}  ${title}`);
  }

  heading(title: string): void {
    this.#line(`\n${title}`);
  }

  say(text: string): void {
    this.#line(this.#timed(text));
  }

  /** Text that has its own layout. */
  block(lines: readonly string[]): void {
    for (const line of lines) this.#line(line);
  }

  /** Says what is waited for: once a wait and every ten seconds, or on a terminal in one line that is kept up to date. */
  waiting(what: string, soFar = ''): void {
    const now = this.#now();
    if (what === this.#waiting.what && now - this.#waiting.at < (this.#inPlace ? redrawEveryMs : repeatEveryMs)) return;
    const text = this.#timed(`waiting for ${what}${soFar === '' ? '' : ` (${soFar})`}`);
    if (this.#inPlace) this.#draw(text);
    else this.#line(text);
    this.#waiting = { what, at: now };
  }

  table(rows: readonly Row[]): void {
    const widest = (of: (row: Row) => string): number => Math.max(...rows.map((row) => of(row).length));
    const [labels, values] = [widest(({ label }) => label), widest(({ value }) => value)];
    for (const { label, value, note = '' } of rows) this.#line(`   ${label.padEnd(labels)}  ${value.padStart(values)}  ${note}`);
  }

  #timed(text: string): string {
    return `${seconds(this.#now() - this.#startedAt).padStart(8)}  ${text}`;
  }

  #line(text: string): void {
    if (this.#drawn > 0) this.#screen.write(`\r${' '.repeat(this.#drawn)}\r`);
    this.#drawn = 0;
    this.#waiting = { what: '', at: 0 };
    this.#screen.write(`${text.trimEnd()}\n`);
  }

  #draw(text: string): void {
    const { columns = 0 } = this.#screen;
    const line = text.slice(0, (columns > 0 ? columns : 80) - 1);
    this.#screen.write(`\r${line.padEnd(this.#drawn)}`);
    this.#drawn = Math.max(this.#drawn, line.length);
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${whole(number)} ${number === 1 ? noun : plural}`;
}

export function whole(number: number): string {
  return number.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
