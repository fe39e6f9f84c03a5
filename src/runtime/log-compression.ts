import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, stat, unlink, utimes } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32, createDeflateRaw, createGzip } from 'node:zlib';

/**
 * Replaces a file by its compressed form, `<file>.gz` or `<file>.zip`, with the same modification time.
 * Stopped half-way it leaves the file as it was, and a `.tmp` beside it.
 */
export async function compressFile(file: string, kind: 'gz' | 'zip'): Promise<void> {
  const { atime, mtime } = await stat(file);
  const unfinished = `${file}.${kind}.tmp`;
  await (kind === 'gz' ? gzip(file, unfinished) : zip(file, unfinished));
  await utimes(unfinished, atime, mtime);
  await rename(unfinished, `${file}.${kind}`);
  await unlink(file);
}

async function gzip(from: string, to: string): Promise<void> {
  await pipeline(createReadStream(from), createGzip(), createWriteStream(to));
}

/** A ZIP archive of one file (PKWARE APPNOTE 4.3), sizes and checksum in a descriptor behind the data; up to 4 GB. */
async function zip(from: string, to: string): Promise<void> {
  const name = Buffer.from(basename(from));
  const local = localHeader(name);
  const sums = { crc: 0, size: 0 };
  const out = createWriteStream(to);
  out.write(local);
  const counted = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      sums.crc = crc32(chunk, sums.crc);
      sums.size += chunk.length;
      yield chunk;
    }
  };
  await pipeline(createReadStream(from), counted, createDeflateRaw(), out);
  await appendDirectory(to, name, local.length, sums);
}

/** Version 2.0, names in UTF-8, sizes later (flags 0x0808), deflated (8), no time. */
const general = Buffer.from([20, 0, 0x08, 0x08, 8, 0, 0, 0, 0x21, 0]);

function localHeader(name: Buffer): Buffer {
  return Buffer.concat([Buffer.from('PK\u0003\u0004'), general, Buffer.alloc(12), uint16(name.length), uint16(0), name]);
}

async function appendDirectory(to: string, name: Buffer, headerLength: number, { crc, size }: { crc: number; size: number }): Promise<void> {
  const packed = (await stat(to)).size - headerLength;
  const sums = Buffer.concat([uint32(crc), uint32(packed), uint32(size)]);
  const descriptor = Buffer.concat([Buffer.from('PK\u0007\u0008'), sums]);
  const entry = Buffer.concat([Buffer.from('PK\u0001\u0002'), uint16(20), general, sums, uint16(name.length), Buffer.alloc(16), name]);
  const start = headerLength + packed + descriptor.length;
  const end = Buffer.concat([Buffer.from('PK\u0005\u0006'), uint32(0), uint16(1), uint16(1), uint32(entry.length), uint32(start), uint16(0)]);
  const file = await open(to, 'a');
  try {
    await file.appendFile(Buffer.concat([descriptor, entry, end]));
  } finally {
    await file.close();
  }
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
