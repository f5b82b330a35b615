import { type FileOperations, nodeFiles } from "../../src/capabilities/files/FileOperations.ts"

/** The operations that may fail. Removing and cutting back don't: nobody could clean up on a disk that refuses both. */
const failing = ["open", "write", "chmod", "sync", "close", "rename"] as const

/** Files of the machine, of which the operation number `failAt` (counted over all of them) and what follows fails. */
export interface FaultyFiles {
  readonly files: FileOperations
  /** Operations asked for so far. */
  readonly count: () => number
  readonly failed: () => boolean
}

/**
 * @param failAt the operation that fails first, counted from 0; `Infinity` for none
 * @param persistent whether all operations after it fail, too
 * @param mostBytes what one write takes at most, as a disk that is nearly full does
 */
export const faultyFiles = (failAt: number, persistent: boolean, mostBytes = Infinity): FaultyFiles => {
  let count = 0
  let failed = false
  const guarded =
    <Args extends ReadonlyArray<never>, Result>(name: (typeof failing)[number], work: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      const due = count++ === failAt || (persistent && failed)
      if (!due) return work(...args)
      failed = true
      // A file that fails to close is closed all the same.
      if (name === "close") await work(...args)
      throw Object.assign(new Error("no space left on device"), { code: name === "sync" ? "EIO" : "ENOSPC" })
    }
  const guardedFiles = Object.fromEntries(
    failing.map((name) => [name, guarded(name, nodeFiles[name] as never)])
  ) as unknown as FileOperations
  return {
    files: {
      ...nodeFiles,
      ...guardedFiles,
      write: (fd, bytes, from, length, offset) => guardedFiles.write(fd, bytes, from, Math.min(length, mostBytes), offset)
    },
    count: () => count,
    failed: () => failed
  }
}
