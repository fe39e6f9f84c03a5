import { connect, type Socket } from 'node:net';

export interface LoadConnectionEvents {
  /** The next request to send, or undefined to end the connection. */
  readonly next: () => Buffer | undefined;
  readonly onAnswer: (ok: boolean, tookMs: number) => void;
  readonly onEnd: (broken: boolean) => void;
}

const endOfHead = Buffer.from('\r\n\r\n');
const nothing = Buffer.alloc(0);

/**
 * One keep-alive connection with one request at a time, and the least parsing that tells where an answer ends:
 * what the load costs is taken from the machine that is measured.
 */
export class LoadConnection {
  readonly #socket: Socket;
  readonly #events: LoadConnectionEvents;
  #received: Buffer = nothing;
  #sentAt = 0;
  /** Bytes of the last answer: most are of one length, and then need no parsing. */
  #usualLength = 0;
  #ended = false;

  constructor(port: number, events: LoadConnectionEvents) {
    this.#events = events;
    this.#socket = connect(port, '127.0.0.1', () => this.#send());
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => events.onEnd(!this.#ended));
  }

  #send(): void {
    const request = this.#events.next();
    if (request) {
      this.#sentAt = performance.now();
      this.#socket.write(request);
      return;
    }
    this.#ended = true;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    const data = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    if (data.length !== this.#usualLength && !this.#isWhole(data)) {
      this.#received = data;
      return;
    }
    this.#received = nothing;
    this.#events.onAnswer(isOk(data), performance.now() - this.#sentAt);
    this.#send();
  }

  #isWhole(data: Buffer): boolean {
    const end = data.indexOf(endOfHead);
    if (end === -1) return false;
    const length = /\r\ncontent-length: *(\d+)/i.exec(data.toString('latin1', 0, end))?.[1];
    if (length === undefined || data.length !== end + endOfHead.length + Number(length)) return false;
    this.#usualLength = data.length;
    return true;
  }
}

/** `HTTP/1.1 200` */
function isOk(data: Buffer): boolean {
  return data[9] === 0x32 && data[10] === 0x30 && data[11] === 0x30;
}
