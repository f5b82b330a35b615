import { TaggedError } from "../../serialization/index.ts"

/** Without the entries that are not known. */
const present = (entries: Readonly<Record<string, unknown>>): unknown =>
  Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined))

/** The operating system, or the state of the file, stands in the way: missing, a folder, no space, an I/O error. */
export class FileFailure extends TaggedError {
  readonly _tag = "FileFailure"
  readonly path: string
  /** What was being done: `open`, `read`, `write`. */
  readonly operation: string
  /** The system's name of the error, such as `ENOSPC`, where there is one. */
  readonly code: string | undefined
  /** What programs see of it beside its message. */
  readonly data: unknown

  constructor(fields: {
    readonly path: string
    readonly operation: string
    readonly problem: string
    readonly fix: string
    readonly code?: string | undefined
  }) {
    super(`Can't ${fields.operation} ${JSON.stringify(fields.path)}: ${fields.problem}. ${fields.fix}`)
    this.path = fields.path
    this.operation = fields.operation
    this.code = fields.code
    this.data = present({ path: fields.path, operation: fields.operation, code: fields.code })
  }

  /** The failure that a system call reported. */
  static of(operation: string, path: string, error: unknown): FileFailure {
    const code = (error as NodeJS.ErrnoException | undefined)?.code
    const [problem, fix] = (code !== undefined && systemErrors[code]) || [
      error instanceof Error ? error.message : String(error),
      "Check the file and its disk."
    ]
    return new FileFailure({ path, operation, problem: code === undefined ? problem : `${problem} (${code})`, fix, code })
  }
}

const systemErrors: Readonly<Record<string, readonly [problem: string, fix: string]>> = {
  ENOENT: [
    "there is no such file or folder",
    "Check the path; a program's relative paths start at the host's working folder or its --fs-root."
  ],
  ENOTDIR: ["a part of the path is a file, not a folder", "Check the path."],
  EISDIR: ["it is a folder", "Name a file in it."],
  EACCES: ["the operating system refuses it to this user", "Change the file's permissions or run as a user who has them."],
  EPERM: ["the operating system refuses it", "Change the file's permissions or run as a user who has them."],
  EROFS: ["the disk is mounted read-only", "Choose a folder on another disk."],
  ENOSPC: ["the disk is full", "Make room and run again; nothing half written was left behind."],
  EDQUOT: ["the disk quota is used up", "Make room and run again; nothing half written was left behind."],
  EFBIG: ["the file would pass the size limit", "Raise the limit (ulimit -f) or split the output."],
  EIO: ["the disk reports an I/O error", "Check the disk; read the file from a copy."],
  EMFILE: ["this process has too many files open", "Close streams or raise the limit (ulimit -n)."],
  ENFILE: ["the system has too many files open", "Close other programs or raise the system's limit."],
  ELOOP: ["its symbolic links lead nowhere", "Mend the links."],
  ENAMETOOLONG: ["the name is too long", "Choose a shorter one."]
}

interface MalformedFileFields {
  readonly path: string
  readonly problem: string
  readonly fix: string
  /** Both counted from 1, the column in bytes; absent where the format has no lines. */
  readonly line?: number | undefined
  readonly column?: number | undefined
  /** The item that could not be made, counted from 1. */
  readonly item?: number | undefined
  /** Counted from 0, in the decompressed file. */
  readonly byte?: number | undefined
}

/** What a file holds is not what its format or encoding says. */
export class MalformedFile extends TaggedError {
  readonly _tag = "MalformedFile"
  readonly path: string
  readonly line: number | undefined
  readonly column: number | undefined
  readonly item: number | undefined
  readonly byte: number | undefined
  readonly #fields: MalformedFileFields
  /** What programs see of it beside its message. */
  readonly data: unknown

  constructor(fields: MalformedFileFields) {
    const where = (["line", "column", "item", "byte"] as const).flatMap((name) =>
      fields[name] === undefined ? [] : [`${name} ${fields[name]}`]
    )
    super(`${[JSON.stringify(fields.path), ...where].join(", ")}: ${fields.problem}. ${fields.fix}`)
    this.path = fields.path
    this.line = fields.line
    this.column = fields.column
    this.item = fields.item
    this.byte = fields.byte
    this.#fields = fields
    const { byte, column, item, line, path } = fields
    this.data = present({ path, item, line, column, byte })
  }

  /** The same failure, where it is known in which item it happened. */
  inItem(item: number, line?: number): MalformedFile {
    return new MalformedFile({ ...this.#fields, item, line: this.line ?? line })
  }
}

/** An item has no form in the format of a file. What stood before it is written; it itself leaves no trace there. */
export class UnwritableValue extends TaggedError {
  readonly _tag = "UnwritableValue"
  readonly problem: string
  readonly fix: string
  /** Counted from 1, over the whole run; absent until the writer adds it. */
  readonly item: number | undefined
  /** What programs see of it beside its message. */
  readonly data: unknown

  constructor(problem: string, fix: string, where?: { readonly path: string; readonly item: number }) {
    super(`${where === undefined ? "" : `Can't write item ${where.item} to ${JSON.stringify(where.path)}: `}${problem}. ${fix}`)
    this.problem = problem
    this.fix = fix
    this.item = where?.item
    this.data = present({ path: where?.path, item: where?.item })
  }

  at(path: string, item: number): UnwritableValue {
    return new UnwritableValue(this.problem, this.fix, { path, item })
  }
}
