import * as fs from "node:fs"
import { promisify } from "node:util"

/** The system calls of a file that is written: behind an interface, so that tests can let each of them fail. */
export interface FileOperations {
  readonly open: (path: string, flags: number, mode: number) => Promise<number>
  readonly stat: (fd: number) => Promise<fs.Stats>
  /** Bytes read, 0 at the end. */
  readonly read: (fd: number, into: Buffer, from: number, length: number, offset: number) => Promise<number>
  /** Bytes written, which may be fewer than asked for. */
  readonly write: (fd: number, bytes: Uint8Array, from: number, length: number, offset: number) => Promise<number>
  readonly truncate: (fd: number, size: number) => Promise<void>
  readonly chmod: (fd: number, mode: number) => Promise<void>
  readonly sync: (fd: number) => Promise<void>
  readonly close: (fd: number) => Promise<void>
  readonly rename: (from: string, to: string) => Promise<void>
  readonly remove: (path: string) => Promise<void>
}

const read = promisify(fs.read) as (
  fd: number,
  into: Buffer,
  from: number,
  length: number,
  offset: number
) => Promise<{ readonly bytesRead: number }>
const write = promisify(fs.write) as (
  fd: number,
  bytes: Uint8Array,
  from: number,
  length: number,
  offset: number
) => Promise<{ readonly bytesWritten: number }>

export const nodeFiles: FileOperations = {
  open: promisify(fs.open),
  stat: promisify(fs.fstat) as (fd: number) => Promise<fs.Stats>,
  read: async (fd, into, from, length, offset) => (await read(fd, into, from, length, offset)).bytesRead,
  write: async (fd, bytes, from, length, offset) => (await write(fd, bytes, from, length, offset)).bytesWritten,
  truncate: promisify(fs.ftruncate),
  chmod: promisify(fs.fchmod),
  sync: promisify(fs.fsync),
  close: promisify(fs.close),
  rename: promisify(fs.rename),
  remove: promisify(fs.unlink)
}
