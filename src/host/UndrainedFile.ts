import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import { toJson } from "../rtfs/index.ts"
import { makeFolders } from "../serialization/index.ts"

/** An item that was accepted and not worked off. */
export interface UndrainedRecord {
  readonly stream: string
  /** Of the actor that had it, or that it was on its way to. */
  readonly address: string
  /** The capability that it would have entered next. */
  readonly next?: string | undefined
  /** Of the frame that it was in. */
  readonly sequence?: number | undefined
  readonly value: unknown
}

/** Beyond this the file grows no more: what it does not take is counted only, and that is said. */
const mostBytes = 256 * 1024 * 1024

/**
 * The items that streams without checkpoints left behind, one JSON line for each, so that they can be looked at and given
 * in again. It is appended to, and nothing of ours reads it.
 *
 * Written synchronously: this is what happens last, and the next thing may be the end of the process.
 *
 * **Bounds** 256 MB. What can't be written is told once by `tell`; it is counted in the reports all the same.
 */
export class UndrainedFile {
  readonly path: string
  readonly #tell: (problem: string) => void
  #isUseless = false

  constructor(path: string, tell: (problem: string) => void) {
    this.path = path
    this.#tell = tell
  }

  append(records: ReadonlyArray<UndrainedRecord>): void {
    if (this.#isUseless || records.length === 0) return
    try {
      makeFolders(dirname(this.path))
      const fd = openSync(this.path, flags, 0o600)
      try {
        const status = fstatSync(fd)
        if (!status.isFile()) throw new Error("it is no regular file")
        if (status.size > mostBytes) throw new Error(`it has ${status.size} bytes already; remove it once its items have been dealt with`)
        for (let at = 0; at < records.length; at += portion) {
          const bytes = Buffer.from(
            records
              .slice(at, at + portion)
              .map(lineOf)
              .join("")
          )
          for (let from = 0; from < bytes.length;) from += writeSync(fd, bytes, from)
        }
      } finally {
        closeSync(fd)
      }
    } catch (error) {
      this.#isUseless = true
      this.#tell(
        `Items that were not worked off can't be written to ${this.path}: ${error instanceof Error ? error.message : String(error)}. `
          + "The reports count them, but their values are lost from here on."
      )
    }
  }
}

const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Lines made at once. */
const portion = 512

const lineOf = ({ address, next, sequence, stream, value }: UndrainedRecord): string => {
  const place = { stream, address, ...(next === undefined ? {} : { next }), ...(sequence === undefined ? {} : { sequence }) }
  try {
    return `${toJson({ ...place, value })}\n`
  } catch (error) {
    return `${toJson({ ...place, value: null, problem: error instanceof Error ? error.message : String(error) })}\n`
  }
}
