import type { ProgressMark } from "../../actors/index.ts"
import { DatabaseFailure } from "./errors.ts"

/** What databases have different words for. */
export interface ProgressDialect {
  /** A query that has a row where the table is there, and the statement that makes it. */
  readonly isThere: string
  readonly make: string
  readonly yes: string
  readonly now: string
  readonly weekAgo: string
  /** What ends an INSERT that leaves a row alone which is there. */
  readonly unlessThere: string
  readonly param: (position: number) => string
}

export type ProgressStatements = ReturnType<typeof progressStatements>

/** The statements about the table that says how many items of a sink are dealt with. */
export const progressStatements = ({ isThere, make, now, param, unlessThere, weekAgo, yes }: ProgressDialect) => ({
  isThere,
  make,
  /** Of a sink. */
  forget: `DELETE FROM rtfs_streams_progress WHERE sink = ${param(1)} AND is_finished = ${yes} AND changed < ${weekAgo}`,
  /** Of a sink and a run, like those below. */
  begin: `INSERT INTO rtfs_streams_progress (sink, run, items) VALUES (${param(1)}, ${param(2)}, 0) ${unlessThere}`,
  read: `SELECT items FROM rtfs_streams_progress WHERE sink = ${param(1)} AND run = ${param(2)}`,
  end: `UPDATE rtfs_streams_progress SET is_finished = ${yes}, changed = ${now} WHERE sink = ${param(1)} AND run = ${param(2)}`,
  /** With `advanceValues`; it has to change one row. */
  advance: `UPDATE rtfs_streams_progress SET items = ${param(1)}, changed = ${now} WHERE sink = ${param(2)} AND run = ${param(3)} AND items = ${param(4)}`
})

export const advanceValues = ({ from, run, sink, to }: ProgressMark): [number, string, string, number] => [to, sink, run, from]

/** How many items are in, `undefined` where nobody has begun; with `make` it is begun. */
export const readProgress = async (
  statements: ProgressStatements,
  run: (sql: string, values: Array<string>) => PromiseLike<ReadonlyArray<Readonly<Record<string, unknown>>>>,
  { run: name, sink }: Pick<ProgressMark, "run" | "sink">,
  make: boolean
): Promise<number | undefined> => {
  const isThere = (await run(statements.isThere, [])).length > 0
  if (!isThere && !make) return undefined
  if (make) {
    if (!isThere) await run(statements.make, [])
    await run(statements.forget, [sink])
    await run(statements.begin, [sink, name])
  }
  const [row] = await run(statements.read, [sink, name])
  return row === undefined ? undefined : Number(row["items"])
}

/** Somebody else has written where this sink was to go on. */
export const takenOver = (location: string, sink: string): DatabaseFailure =>
  new DatabaseFailure({
    location,
    kind: "refused",
    problem: `has rows of the sink ${sink} that this run does not know of`,
    fix: "Another process works for the same stream, or the stream was resumed at an older checkpoint: let one of them write, or take the rows and the sink's row of rtfs_streams_progress out and begin anew."
  })
