import type { Chunk } from "./Chunk.ts"

/** The way by which chunks come: one connection at a time, made again by whoever runs it. */
export interface StreamTransport {
  /** How the endpoint was understood, for `:mcp.stream.inspect`. Filled in as more becomes known. */
  readonly resolved: () => Readonly<Record<string, unknown>>
  /** How long the peer may say nothing; left out, as long as it likes. */
  readonly idleMs: number | undefined
  /** Whether nothing is lost and nothing is done twice when it is run once more now. */
  readonly isRepeatable: () => boolean
  /**
   * Runs until the peer's stream has ended; everything that it opened is closed when it settles.
   *
   * **Fails** with what broke it off; see `isTemporary` of the error.
   * **Stopping** the signal ends it: a call under way is cancelled at the peer.
   */
  readonly run: (receiver: ChunkReceiver, signal: AbortSignal) => Promise<void>
}

/** Where a transport puts what comes. */
export interface ChunkReceiver {
  /** Completes when there is room. Nothing is read from the peer before. Rejects when the transport is to end. */
  readonly room: () => Promise<void>
  /** Never refuses: who waited for room has it. */
  readonly offer: (chunk: Chunk) => void
  /** The connection stands: what failed before is over, once it has stood for a while. */
  readonly connected: () => void
  /** Something came, be it only a sign of life. */
  readonly alive: () => void
  /** The cursor of the last chunk that came. */
  readonly cursor: () => string | null
  /** Something went wrong that the stream survives. */
  readonly note: (problem: string) => void
}
