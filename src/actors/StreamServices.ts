import type * as Effect from "effect/Effect"
import type { QueueAccess } from "./QueueAccess.ts"
import type { DatabaseAccess } from "./DatabaseAccess.ts"

/**
 * What sources and sinks may use of the host they run in. Each service has been narrowed to the host's policy: asking
 * for more than was granted fails with `PermissionDenied` before anything is touched.
 */
export interface StreamServices {
  readonly files: FileAccess
  readonly network: NetworkAccess
  readonly queues: QueueAccess
  readonly databases: DatabaseAccess
  /** Writes one line for the program's reader (standard output under `run`, the host's console option when embedded). */
  readonly print: (line: string) => unknown
  /** Reports how far a source has read, in bytes or items of how many, for progress. */
  readonly progress: (address: string, done: number, total: number | undefined, unit: "bytes" | "items") => void
}

/** What a stage may be bound to, beside the services of sources and sinks. */
export interface StageServices extends StreamServices {
  /** Writes a line for whoever runs the host, which no program reads. */
  readonly log: (line: string) => unknown
  /** For what has to wait for its time. */
  readonly time: StreamTime
  /** One value for all streams of the host, by name (the id of the capability that keeps it): made when it is first asked for. */
  readonly shared: <A>(name: string, make: () => A) => A
}

/** Time that only goes forward, from any start: for waiting and for measuring, not for saying what the time is. */
export interface StreamTime {
  /** In ms, with fractions. */
  readonly now: () => number
  /** Completes after so many ms; never, once the host has ended. */
  readonly sleep: (milliseconds: number) => Promise<void>
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

/** Peers that were granted, and the secrets that programs may send to them without ever seeing them. */
export interface NetworkAccess {
  /** Throws `PermissionDenied` where no grant names the peer (`host:port`); asks nobody. */
  readonly check: (peer: string) => void
  /**
   * The addresses of a peer, each of them granted. Whoever connects to anything else gets around the policy: a name may
   * stand for another address a moment later. Fails with `PermissionDenied` or `NetworkFailure`.
   */
  readonly resolve: (peer: string) => Promise<ReadonlyArray<PeerAddress>>
  /** Text with the secrets that it names, as `{{secret:NAME}}`: for the peer, and for nobody else. Throws `PermissionDenied` for unknown names. */
  readonly reveal: (text: string, encode?: (secret: string) => string) => string
  /** Text that came from a peer or from the system, with the host's secrets in it put back to their names. */
  readonly conceal: (text: string) => string
  /** Takes one of the connections that the host may have; the function gives it back. Throws `NetworkFailure` when there is none left. */
  readonly connection: () => () => void
  /** Open two-way connections by the address of their actor. */
  readonly peers: Map<string, Peer>
}

export interface PeerAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** A connection to which a program may send. */
export interface Peer {
  /** Completes when the message may be followed by another one. */
  readonly send: (message: string | Uint8Array) => Promise<void>
  readonly isOpen: boolean
}
