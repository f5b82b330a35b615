import { TaggedError } from "../../serialization/index.ts"
import { certificateProblem } from "../../state/index.ts"

/**
 * - `row`: the values of a row are to blame
 * - `lost`: the server can't be reached, or went away; another try may find it
 * - `busy`: somebody else is in the way; another try may not
 * - `refused`: it would be refused again
 */
export type DatabaseFailureKind = "row" | "lost" | "busy" | "refused"

/** A database can't be used, or refuses what it was asked for. */
export class DatabaseFailure extends TaggedError {
  readonly _tag = "DatabaseFailure"
  readonly location: string
  readonly kind: DatabaseFailureKind
  /** The database's own code: SQLSTATE, or a name. */
  readonly code: string | undefined

  constructor(fields: {
    readonly location: string
    readonly kind: DatabaseFailureKind
    readonly problem: string
    readonly fix: string
    readonly code?: string | undefined
  }) {
    super(`The database ${fields.location} ${fields.problem}. ${fields.fix}`)
    this.location = fields.location
    this.kind = fields.kind
    this.code = fields.code
  }

  /** What a driver reported, by its code, with no password in it. */
  static of(
    server: { readonly location: string; readonly redacted: (message: string) => string },
    kind: DatabaseFailureKind,
    error: unknown
  ): DatabaseFailure {
    if (error instanceof DatabaseFailure) return error
    const { code, message = "" } = error as { readonly code?: string; readonly message?: string }
    const shown = server.redacted(message || String(code)).replace(/\.$/, "")
    const certificate = certificateProblem(error)
    const withCode = code === undefined ? shown : `${shown}, ${code}`
    // Nobody but the operator can mend it, so it is not waited for.
    const found = certificate ?? { problem: problems[kind], fix: fixes[kind] }
    return new DatabaseFailure({
      location: server.location,
      kind: certificate === undefined ? kind : "refused",
      code,
      problem: `${found.problem} (${withCode})`,
      fix: found.fix
    })
  }
}

const problems: Readonly<Record<DatabaseFailureKind, string>> = {
  row: "refuses a row",
  lost: "can't be reached",
  busy: "is held by somebody else",
  refused: "refuses what it was asked for"
}

const fixes: Readonly<Record<DatabaseFailureKind, string>> = {
  row: "Correct the item before it is written, or give the node :on-failure :skip or :dead-letter.",
  lost: "Check that the server runs and can be reached.",
  busy: "Let the other transaction end first; two writers of one SQLite file need it in WAL mode (PRAGMA journal_mode = WAL).",
  refused: "Check the statement, the table and the rights of the user."
}

export const notInstalled = (location: string, packages: string): DatabaseFailure =>
  new DatabaseFailure({
    location,
    kind: "refused",
    problem: `needs ${packages}, not installed`,
    fix: `Install it beside rtfs-streams: npm install ${packages}.`
  })
