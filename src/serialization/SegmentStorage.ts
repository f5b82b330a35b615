import { constants } from "node:fs"
import { open, readdir, rm } from "node:fs/promises"
import { makeFolders } from "./makeFolders.ts"

/**
 * The few operations on files that a segment log needs. Tests give it a disk that fails, forgets or fills up.
 *
 * Each one fails with the `NodeJS.ErrnoException` of its system call.
 */
export interface SegmentStorage {
  /** The names of the files in a directory; it is made (0700) if there is none. */
  list(directory: string): Promise<ReadonlyArray<string>>
  /** A new file for reading and writing, 0600. Fails with EEXIST rather than open what is there. */
  create(path: string): Promise<SegmentHandle>
  /** A file that is there, for reading and writing. */
  open(path: string): Promise<SegmentHandle>
  remove(path: string): Promise<void>
  /** Makes created and removed names survive a loss of power. */
  syncDirectory(directory: string): Promise<void>
}

export interface SegmentHandle {
  /** Writes all of the bytes. After a failure any part of them may stand there. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** @returns how many bytes were read; fewer than asked for at the end of the file only */
  read(into: Uint8Array, position: number): Promise<number>
  size(): Promise<number>
  truncate(size: number): Promise<void>
  /** Makes the content survive a loss of power. */
  sync(): Promise<void>
  close(): Promise<void>
}

// O_NOFOLLOW: a link that somebody put in place of a segment must not lead our writes elsewhere.
const openHandle = async (path: string, flags: number): Promise<SegmentHandle> => {
  const file = await open(path, flags | constants.O_RDWR | constants.O_NOFOLLOW, 0o600)
  return {
    write: async (bytes, position) => {
      let written = 0
      while (written < bytes.length) written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten
    },
    read: async (into, position) => {
      let done = 0
      while (done < into.length) {
        const { bytesRead } = await file.read(into, done, into.length - done, position + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done
    },
    size: async () => (await file.stat()).size,
    truncate: (size) => file.truncate(size),
    sync: () => file.sync(),
    close: () => file.close()
  }
}

/** Segments in the file system. */
export const fileSegmentStorage: SegmentStorage = {
  list: async (directory) => {
    makeFolders(directory)
    return readdir(directory)
  },
  create: (path) => openHandle(path, constants.O_CREAT | constants.O_EXCL),
  open: (path) => openHandle(path, 0),
  remove: (path) => rm(path, { force: true }),
  syncDirectory: async (directory) => {
    const handle = await open(directory, constants.O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}
