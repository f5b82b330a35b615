import { TaggedError } from "../serialization/index.ts"

/** A store can't be read or written, or what it holds is damaged. */
export class StoreFailure extends TaggedError {
  readonly _tag = "StoreFailure"
  readonly location: string

  constructor(location: string, problem: string, options: { readonly fix: string; readonly cause?: unknown }) {
    super(`The store ${location} ${problem}. ${options.fix}`, { cause: options.cause })
    this.location = location
  }
}

/** Another process, or another stream of this one, works under this id. */
export class StreamInUse extends TaggedError {
  readonly _tag = "StreamInUse"
  readonly stream: string

  constructor(stream: string, location: string, owner: string) {
    super(
      `The stream ${stream} is in use by ${owner} (store ${location}). Two runs of one stream would overwrite each other's `
        + `checkpoints: wait for the other one to end, stop it, or give this one another :stream-id.`
    )
    this.stream = stream
  }
}

/** This owner was silent for so long that another took its stream over; it must stop. */
export class StreamFenced extends TaggedError {
  readonly _tag = "StreamFenced"
  readonly stream: string

  constructor(stream: string, location: string, epoch: number) {
    super(
      `The stream ${stream} was taken over by another process (store ${location}): this one, of epoch ${epoch}, was suspended or cut off for longer than `
        + `its lease and can write no more. Nothing it did since is in a checkpoint; the other one goes on.`
    )
    this.stream = stream
  }
}

/** Another process works in the data directory, or with the store's file. */
export class DataDirectoryInUse extends TaggedError {
  readonly _tag = "DataDirectoryInUse"
  readonly directory: string

  constructor(path: string, owner: string, kind: "data directory" | "store") {
    super(
      `The ${kind} ${path} is in use by ${owner}. Two processes would overwrite each other's files: `
        + `wait for the other one to end, stop it, or give another ${kind === "store" ? "--store" : "--data-dir"}.`
    )
    this.directory = path
  }
}

export const damaged = (location: string, problem: string, cause?: unknown): StoreFailure =>
  new StoreFailure(location, problem, {
    fix: "Restore it from a copy; to begin anew instead, and process everything again, move it and the files named like it away.",
    cause
  })

/** A checkpoint whose id does not rise would not be the newest, and be forgotten in place of an older one. */
export const idNotAbove = (location: string, stream: string, id: number, newest: number): StoreFailure =>
  new StoreFailure(location, `has a checkpoint ${newest} of the stream ${stream}, and ${id} is not above it`, {
    fix: "This is a fault in rtfs-streams: the ids of checkpoints rise."
  })
