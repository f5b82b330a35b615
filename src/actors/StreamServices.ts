import type * as Effect from "effect/Effect"

/**
 * What sources and sinks may use of the host they run in. Each service has been narrowed to the host's policy: asking
 * for more than was granted fails with `PermissionDenied` before anything is touched.
 */
export interface StreamServices {
  readonly files: FileAccess
  /** Writes one line for the program's reader (standard output under `run`, the host's console option when embedded). */
  readonly print: (line: string) => unknown
  /** Reports how far a source has read, in bytes or items of how many, for progress. */
  readonly progress: (address: string, done: number, total: number | undefined, unit: "bytes" | "items") => void
}

/** Files below the granted roots. Paths are as the program wrote them. */
export interface FileAccess {
  /** Fails with `PermissionDenied` where the path is not granted; opens nothing. */
  readonly check: (access: "read" | "write", path: string) => Effect.Effect<void, unknown>
  /** Opens a regular file for reading and says its size. Fails with `PermissionDenied` or `FileFailure`. */
  readonly openForReading: (path: string) => Effect.Effect<{ readonly fd: number; readonly size: number; readonly path: string }, unknown>
  /** The real path of where a file may be created or replaced; its folder exists and lies below a granted root. */
  readonly resolveForWriting: (path: string) => Effect.Effect<string, unknown>
}
