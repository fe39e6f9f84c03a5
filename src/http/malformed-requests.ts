import type { Duplex } from 'node:stream';

import { textOf } from './error-mapping.ts';

/**
 * Answers what the HTTP parser refused (RFC 9112) in plain words and ends the connection.
 * @param answering whether an earlier answer is on its way on this connection: a second one would be taken for its rest
 */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Duplex, answering: boolean): void {
  if (error.code === 'ECONNRESET' || !socket.writable || answering) {
    socket.destroy();
    return;
  }
  const { status, reason } = explain(error.code);
  const body = `${textOf('TP0003')} (${reason})`;
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\n\r\n${body}`,
  );
}

function explain(code: string | undefined): { status: string; reason: string } {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { status: '431 Request Header Fields Too Large', reason: 'the address and headers together are too long' };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: '413 Payload Too Large', reason: 'the chunk extensions are too long' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: '408 Request Timeout', reason: 'the request did not arrive in time' };
    default:
      return { status: '400 Bad Request', reason: 'this is not an HTTP request' };
  }
}
