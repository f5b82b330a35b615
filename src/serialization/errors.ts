import { TaggedError } from "./TaggedError.ts"

/** A value can't be written as msgpack: a function, a host object, a lone surrogate, too deep. */
export class UnencodableValue extends TaggedError {
  readonly _tag = "UnencodableValue"
  /** Where in the value, such as `item[3].user.callback`. */
  readonly path: string
  /** In a frame, which of the items that were handed to `encode`; −1 for a single value. */
  readonly index: number

  constructor(fields: { readonly path: string; readonly problem: string; readonly fix: string; readonly index?: number }) {
    super(`${fields.path} can't leave its actor: ${fields.problem}. ${fields.fix}`)
    this.path = fields.path
    this.index = fields.index ?? -1
  }

  /** The same failure, where the item has another place. */
  at(index: number): UnencodableValue {
    return Object.assign(Object.create(UnencodableValue.prototype) as UnencodableValue, this, {
      index,
      message: this.message,
      stack: this.stack
    })
  }
}

/** Bytes are not what `encodeValue` or a `FrameEncoder` writes: damaged, cut off, or written by something else. */
export class MalformedBytes extends TaggedError {
  readonly _tag = "MalformedBytes"
  /** Where reading stopped. */
  readonly offset: number

  constructor(fields: { readonly problem: string; readonly offset: number }) {
    super(
      `Malformed msgpack at byte ${fields.offset}: ${fields.problem}. `
        + `The data was damaged, cut off or not written by rtfs-streams; read it again from its source or an older copy.`
    )
    this.offset = fields.offset
  }
}

/** A value nests too deep to be compared, used as a key or copied; most often because it holds itself. */
export class ValueTooDeep extends TaggedError {
  readonly _tag = "ValueTooDeep"
  readonly limit: number

  constructor(fields: { readonly limit: number }) {
    super(`A value nests deeper than ${fields.limit} levels, or holds itself. Work with a flatter value, or with the part that matters.`)
    this.limit = fields.limit
  }
}

/** A value has too many parts to be used as a key; a part that is used in several places counts at each of them. */
export class ValueTooLarge extends TaggedError {
  readonly _tag = "ValueTooLarge"
  readonly limit: number

  constructor(fields: { readonly limit: number }) {
    super(
      `A value has more than ${fields.limit} parts, too many for a key. Use the part of it that tells it from others, such as with :key-fn.`
    )
    this.limit = fields.limit
  }
}

/** The disk refused an operation on a segment file. What was to be written is still held by the log or the caller. */
export class SegmentFailed extends TaggedError {
  readonly _tag = "SegmentFailed"
  readonly file: string
  /** The system's code, such as `ENOSPC`. */
  readonly code: string

  constructor(fields: { readonly operation: string; readonly file: string; readonly cause: unknown }) {
    const code = (fields.cause as NodeJS.ErrnoException | undefined)?.code ?? "EUNKNOWN"
    super(
      `Could not ${fields.operation} ${fields.file}: ${code === "ENOSPC" || code === "EDQUOT" ? "the disk is full" : `the system says ${code}`}. `
        + (code === "ENOSPC" || code === "EDQUOT"
          ? "Free space there; writing goes on with the next attempt."
          : "Check the disk and the rights of the directory, then try again."),
      { cause: fields.cause }
    )
    this.file = fields.file
    this.code = code
  }
}

/** A segment file is not as it was written, at a place where no crash can explain it. */
export class DamagedSegment extends TaggedError {
  readonly _tag = "DamagedSegment"
  readonly file: string
  readonly offset: number

  constructor(fields: { readonly file: string; readonly offset: number; readonly problem: string }) {
    super(
      `${fields.file} is damaged at byte ${fields.offset}: ${fields.problem}. Records from there on can't be trusted. `
        + "Restore the file from a copy, or start from an older checkpoint."
    )
    this.file = fields.file
    this.offset = fields.offset
  }
}
