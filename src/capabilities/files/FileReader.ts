import { close, read } from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { FileAccess } from "../../actors/index.ts"
import type { ByteSource } from "./ByteSource.ts"
import { FileFailure } from "./errors.ts"

/** An open file, read from one end to the other. */
export interface FileReader extends ByteSource {
  readonly size: number
  /** Where the next read begins. May be set while none is under way. */
  offset: number
}

/**
 * Opens a regular file below a granted root.
 *
 * **Fails** with what `FileAccess` fails with; reads fail with `FileFailure`.
 * **Stopping** closes the file once the read under way is through: closing it earlier would let that read from
 * whatever file gets the number next.
 */
export const openFileReader = (files: FileAccess, path: string): Effect.Effect<FileReader, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    let underWay: Promise<unknown> = Promise.resolve()
    const { fd, size } = yield* Effect.acquireRelease(files.openForReading(path), (file) =>
      Effect.promise(() =>
        underWay.then(
          () => closed(file.fd),
          () => closed(file.fd)
        )
      )
    )
    const reader: FileReader = {
      size,
      offset: 0,
      read: (into, from, to) => {
        const reading = readAt(fd, into, from, to - from, reader.offset, path).then((count) => {
          reader.offset += count
          return count
        })
        underWay = reading
        return reading
      }
    }
    return reader
  })

const readAt = (fd: number, into: Buffer, from: number, length: number, offset: number, path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    read(fd, into, from, length, offset, (error, count) => (error === null ? resolve(count) : reject(FileFailure.of("read", path, error))))
  })

/** A file that was only read has nothing to lose when closing it fails. */
const closed = (fd: number): Promise<void> => new Promise((resolve) => close(fd, () => resolve()))
