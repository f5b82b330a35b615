import { DatabaseFailure } from "./errors.ts"

/** Somebody else has written where this sink was to go on. */
export const takenOver = (location: string, sink: string): DatabaseFailure =>
  new DatabaseFailure({
    location,
    kind: "refused",
    problem: `has rows of the sink ${sink} that this run does not know of`,
    fix: "Another process works for the same stream, or the stream was resumed at an older checkpoint: let one of them write, or take the rows and the sink's row of rtfs_streams_progress out and begin anew."
  })
