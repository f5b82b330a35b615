import type { Writable } from "node:stream"

/** A part of the terminal that is redrawn in place below what was printed, such as a progress display. */
export interface LiveRegion {
  /** Removes it from the screen, so that lines can be printed where it was; it draws itself again when it likes. */
  readonly clear: () => void
}

/**
 * The two standard streams of a command.
 *
 * **Backpressure** where the reader is slow a line gives a promise, which resolves when the line is out of the process; who
 * prints much awaits it.
 * **Stopping** when the reader of standard output has gone (`| head`), `closed` resolves and later lines go nowhere.
 */
export class Output {
  private readonly out: Writable
  private readonly err: Writable
  private region: LiveRegion | undefined
  private outIsClosed = false
  private errIsClosed = false
  /** Why standard output could not be written, where that was not its reader's choice: a full disk. */
  failure: Error | undefined
  /** Resolves when nothing that is printed arrives any more. */
  readonly closed: Promise<void>

  constructor(streams: { readonly out: Writable; readonly err: Writable }) {
    this.out = streams.out
    this.err = streams.err
    this.closed = new Promise((resolve) => {
      this.out.on("error", (error: NodeJS.ErrnoException) => {
        this.outIsClosed = true
        if (error.code !== "EPIPE") {
          this.failure ??= error
          void this.problem(`Standard output can't be written: ${error.message}`)
        }
        resolve()
      })
    })
    // Nothing is left to report it to.
    this.err.on("error", () => {
      this.errIsClosed = true
    })
  }

  /** One line of the result, on standard output. */
  line(text: string): void | Promise<void> {
    if (!this.outIsClosed) return this.write(this.out, text)
  }

  /** One line about the run, on standard error. */
  problem(text: string): void | Promise<void> {
    if (!this.errIsClosed) return this.write(this.err, text)
  }

  /** Puts a live region below the lines, or takes it away again. */
  show(region: LiveRegion | undefined): void {
    this.region?.clear()
    this.region = region
  }

  /** Control sequences of the live region. */
  raw(text: string): void {
    if (!this.errIsClosed) this.err.write(text)
  }

  /** Resolves when everything printed has been taken by its readers, or they have gone. */
  async flushed(): Promise<void> {
    await Promise.all([this.out, this.err].filter((stream) => stream.writableLength > 0).map(taken))
  }

  private write(stream: Writable, text: string): void | Promise<void> {
    // The region comes back with its next refresh: redrawing it for each line would cost more than the lines.
    if ((stream as { readonly isTTY?: boolean }).isTTY === true) this.region?.clear()
    stream.write(`${text}\n`)
    if (stream.writableLength > 0) return taken(stream)
  }
}

/** Resolves once what was written so far is out of the process: an empty write comes after it, and fails if it failed. */
const taken = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    if (stream.errored || stream.destroyed) resolve()
    else stream.write("", () => resolve())
  })
