import type { Request, RequestHandler, Response } from 'express';

import { answer } from './answer.ts';
import { textOf } from './error-mapping.ts';

/** Bytes. No call of this service carries a body; a small one is read and thrown away. */
const maxBodyBytes = 64 * 1024;

const tooLarge = `${textOf('TP0003')} (no call here takes a body, and this one is over ${maxBodyBytes / 1024} KB)`;

/** Throws bodies away as they come, so that they block nothing, and refuses large ones with 413. */
export const bodyLimit: RequestHandler = (request, response, next) => {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBodyBytes) {
    request.resume();
    answer(response, 413, tooLarge, false);
    return;
  }
  if (request.headers['transfer-encoding'] !== undefined) limitChunks(request, response);
  else if (announced > 0) request.resume();
  next();
};

function limitChunks(request: Request, response: Response): void {
  let read = 0;
  request.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > maxBodyBytes && !response.headersSent) answer(response, 413, tooLarge, false);
  });
}
