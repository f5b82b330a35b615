import type { Completion } from "./completion.ts"
import type { Handle } from "./Handle.ts"

export interface SessionOptions {
  /** Told when a stream fails that the program does not wait for. */
  readonly onStreamFailure?: (stream: string, error: unknown) => void
}

export interface SessionInput {
  /** The name of the text in messages. */
  readonly file?: string
  /** Receives the items of a stream that is the last value; without it such a stream stays a value. */
  readonly onItem?: (item: unknown) => unknown
  /** After so many items such a stream is cancelled. */
  readonly maxItems?: number
}

export interface SessionResult {
  /** The value of the last expression. */
  readonly value: unknown
  /** If that was a stream which was consumed: how many items it gave, and whether it was cut off at `maxItems`. */
  readonly stream?: { readonly items: number; readonly isCut: boolean }
}

/**
 * Evaluates inputs one after the other, each of which sees what those before it defined: a REPL, or a conversation with
 * an agent. Streams that an input started go on.
 *
 * **Bounds** one input at a time; each has the limits of one evaluation. Of streams that ended, only the last are kept.
 * **Stopping** `cancel` ends the evaluation under way, `cancelStreams` the streams, `close` both.
 */
export interface Session extends AsyncDisposable {
  /**
   * Evaluates one input. What it defined before it failed stays defined.
   *
   * **Fails** with an `RtfsError`, with what a capability failed with, with `EvaluationCancelled`, or with
   * `HostUnavailable` while another input is being evaluated.
   */
  eval(source: string, input?: SessionInput): Promise<SessionResult>

  /** What the last word of a text that is being written can become. */
  complete(text: string): Promise<Completion>

  /** The streams that inputs have started and that have not ended. */
  readonly streams: ReadonlyArray<Handle>

  /**
   * Gives up the evaluation under way, if there is one: it fails with `EvaluationCancelled`, which no program can catch,
   * at the call that it waits for or makes next. A call of a binding goes on, but nobody waits for it any more.
   *
   * @returns whether there was one
   */
  cancel(): boolean

  cancelStreams(): Promise<void>

  /** Waits until no stream goes on. */
  ended(): Promise<void>

  /** Ends the evaluation and all streams. Idempotent. */
  close(): Promise<void>
}
