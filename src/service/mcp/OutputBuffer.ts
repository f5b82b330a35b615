import { randomBytes } from "node:crypto"
import { ToolProblem } from "./ToolProblem.ts"

/** One item that a stream gave, as JSON text under its number. */
export interface OutputItem {
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly text: string
}

/** What a full buffer does: the stream waits for a reader, or the oldest items go. */
export type Overflow = "wait" | "drop-oldest"

export interface OutputBufferOptions {
  readonly items: number
  readonly overflow: Overflow
  readonly now: () => number
  readonly onChange: () => void
}

export interface OutputPage {
  readonly items: ReadonlyArray<OutputItem>
  readonly nextCursor: string
  readonly more: boolean
  /** Items behind the cursor that are not kept any more. */
  readonly dropped: number
}

/** Beyond this the buffer is full, however few its items are. */
const mostBytes = 4 * 1024 * 1024

/** How many may wait for the next item at a time. */
const mostWaiting = 32

/**
 * What a stream gave, kept under numbers for readers that come with cursors. Reading takes nothing away: several readers see
 * the same items, and each may look again.
 *
 * **Backpressure** under `wait`, `put` completes when there is room: items that have been read make it.
 * **Bounds** the items asked for, under `wait` twice as many, and 4 MB, by one item more; 32 waiting readers. Once it has
 * ended, what still comes pushes the oldest out.
 */
export class OutputBuffer {
  readonly #options: OutputBufferOptions
  /** Tells cursors of this buffer from those of others. */
  readonly #epoch = randomBytes(6).toString("base64url")
  #items: Array<OutputItem> = []
  #head = 0
  #bytes = 0
  #last = 0
  /** The highest number that a reader was given. */
  #read = 0
  #dropped = 0
  #hasEnded = false
  #isClosed = false
  #senders: Array<() => void> = []
  readonly #waiting = new Set<() => void>()

  constructor(options: OutputBufferOptions) {
    this.#options = options
  }

  /** How many items the stream gave. */
  get count(): number {
    return this.#last
  }

  /** How many were forgotten before anybody read them. */
  get dropped(): number {
    return this.#dropped
  }

  get kept(): number {
    return this.#items.length - this.#head
  }

  /** @returns a promise where the stream has to wait */
  put(text: string): void | Promise<void> {
    if (this.#isClosed) return
    this.#items.push({ seq: ++this.#last, at: this.#options.now(), text })
    this.#bytes += text.length
    this.#forget()
    for (const wake of this.#waiting) wake()
    this.#options.onChange()
    if (this.#options.overflow === "drop-oldest" || this.#hasEnded || !this.#isFull) return
    return new Promise((resolve) => void this.#senders.push(resolve))
  }

  /** The stream was cancelled: what it still gives is no output of it any more. */
  close(): void {
    this.#isClosed = true
    this.end()
  }

  /** The stream is at its end, so that it waits for nobody; what is kept can still be read. */
  end(): void {
    this.#hasEnded = true
    this.#letIn()
    for (const wake of this.#waiting) wake()
    this.#options.onChange()
  }

  /** **Fails** by throwing `ToolProblem` for a cursor of another stream. */
  read(
    from: { readonly cursor?: string | undefined; readonly tail?: number | undefined },
    limits: { readonly items: number; readonly characters: number }
  ): OutputPage {
    const wanted = this.#start(from)
    const first = this.#last - this.kept + 1
    const start = Math.max(wanted, first)
    const items: Array<OutputItem> = []
    let characters = 0
    for (let seq = start; seq <= this.#last && items.length < limits.items; seq++) {
      const item = this.#items[this.#head + seq - first]!
      // The first one goes out however long it is; the tool shows only the beginning of it.
      if (items.length > 0 && characters + item.text.length > limits.characters) break
      items.push(item)
      characters += item.text.length
    }
    const next = start + items.length
    this.#read = Math.max(this.#read, next - 1)
    this.#forget()
    if (!this.#isFull) this.#letIn()
    return { items, nextCursor: this.#cursor(next), more: next <= this.#last, dropped: start - wanted }
  }

  /** The newest, without counting as read: who looks at them makes no room. */
  peek(count: number): ReadonlyArray<OutputItem> {
    return this.#items.slice(Math.max(this.#head, this.#items.length - count))
  }

  /** The item of a number, while it is kept. */
  item(seq: number): OutputItem | undefined {
    return this.#items[this.#head + seq - (this.#last - this.kept + 1)]
  }

  /** Completes when there is an item behind the cursor, when the stream has ended, after `ms`, or when the reader has gone. */
  async whenMore(cursor: string | undefined, ms: number, signal: AbortSignal): Promise<void> {
    const start = this.#start({ cursor })
    if (start <= this.#last || this.#hasEnded || ms <= 0 || signal.aborted) return
    if (this.#waiting.size >= mostWaiting) {
      throw new ToolProblem(`${mostWaiting} readers wait for this stream already`, "Call stream_read with wait_ms 0, or later.")
    }
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener("abort", done)
        this.#waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener("abort", done)
      this.#waiting.add(done)
    })
  }

  #letIn(): void {
    for (const resume of this.#senders.splice(0)) resume()
  }

  /** Whether the stream has to wait for a reader. */
  get #isFull(): boolean {
    return this.#last - this.#read >= this.#options.items || this.#bytes > mostBytes
  }

  /** Makes room: while the stream can wait, only by what was read, of which as much is kept as may wait to be read. */
  #forget(): void {
    const { items, overflow } = this.#options
    const isWaiting = overflow === "wait" && !this.#hasEnded
    const most = overflow === "wait" ? 2 * items : items
    while (this.kept > most || this.#bytes > mostBytes) {
      const oldest = this.#items[this.#head]
      if (oldest === undefined || (isWaiting && oldest.seq > this.#read)) break
      if (oldest.seq > this.#read) this.#dropped++
      this.#bytes -= oldest.text.length
      this.#head++
    }
    if (this.#head > 1024 || this.#head === this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }

  #start({ cursor, tail }: { readonly cursor?: string | undefined; readonly tail?: number | undefined }): number {
    if (cursor === undefined) return this.#last + 1 - (tail === undefined ? this.kept : Math.min(tail, this.kept))
    const [epoch, written] = cursor.split(".")
    const seq = Number(written)
    if (epoch !== this.#epoch || !Number.isSafeInteger(seq) || seq < 1 || seq > this.#last + 1) {
      throw new ToolProblem(
        "The cursor is not one of this stream: it belongs to another one, or to a server that was restarted",
        "Call stream_read without a cursor for what is kept, or stream_list for the streams there are."
      )
    }
    return seq
  }

  #cursor(seq: number): string {
    return `${this.#epoch}.${seq}`
  }
}
