import { ReplayWindow } from "../../host/index.ts"
import { type CursorEpoch, readCursor, writeCursor } from "./Cursor.ts"
import type { OutputBudget } from "./OutputBudget.ts"
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
  readonly epoch: CursorEpoch
  /** What all buffers of the server may hold. */
  readonly budget: OutputBudget
  readonly now: () => number
  readonly onChange: () => void
}

/** Where a page begins: at a cursor, at the newest so many, or at the oldest item that is kept. */
export interface OutputPlace {
  readonly cursor?: string | undefined
  readonly tail?: number | undefined
}

export interface PageLimits {
  readonly items: number
  readonly characters: number
}

export interface OutputPage {
  readonly items: ReadonlyArray<OutputItem>
  readonly nextCursor: string
  readonly more: boolean
  /** Items behind the cursor that are not kept any more. */
  readonly dropped: number
}

/** How many may wait for the next item at a time. */
const mostWaiting = 32

/**
 * What a stream gave, kept under numbers for readers that come with cursors. Reading takes nothing away: several readers see
 * the same items, and each may look again.
 *
 * **Backpressure** under `wait`, `put` completes when there is room: items that have been read make it.
 * **Bounds** the items asked for, under `wait` twice as many, and what the budget grants, by one item more; 32 waiting
 * readers. Once it has ended, what still comes pushes the oldest out.
 */
export class OutputBuffer {
  readonly #options: OutputBufferOptions
  readonly #window: ReplayWindow<string>
  /** The highest number that a reader was given. */
  #read = 0
  #dropped = 0
  #hasEnded = false
  #isClosed = false
  #senders: Array<() => void> = []
  readonly #waiting = new Set<() => void>()

  constructor(options: OutputBufferOptions) {
    this.#options = options
    const { budget, items, overflow } = options
    this.#window = new ReplayWindow({
      // While the stream can wait, as much of what was read is kept as may wait to be read.
      items: overflow === "wait" ? 2 * items : items,
      get bytes() {
        return budget.share
      },
      milliseconds: Infinity
    })
  }

  /** How many items the stream gave. */
  get count(): number {
    return this.#window.last
  }

  /** How many were forgotten before anybody read them. */
  get dropped(): number {
    return this.#dropped
  }

  get kept(): number {
    return this.#window.size
  }

  /** @returns a promise where the stream has to wait */
  put(text: string): void | Promise<void> {
    if (this.#isClosed) return
    const { budget, now, onChange, overflow } = this.#options
    const before = this.#window.bytes
    this.#window.add(text, now(), text.length)
    this.#forget()
    budget.change(this.#window.bytes - before)
    for (const wake of this.#waiting) wake()
    onChange()
    if (overflow === "drop-oldest" || this.#hasEnded || !this.#isFull) return
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

  /** Nobody will ask for what is kept any more. */
  release(): void {
    this.close()
    this.#options.budget.change(-this.#window.bytes)
    this.#window.clear()
  }

  /** A page, whose items count as read. **Fails** by throwing `ToolProblem` for a cursor that is none of this buffer. */
  read(from: OutputPlace, limits: PageLimits): OutputPage {
    const page = this.look(from, limits)
    const newest = page.items.at(-1)?.seq ?? 0
    if (newest > this.#read) {
      this.#read = newest
      if (!this.#isFull) this.#letIn()
    }
    return page
  }

  /** The same without counting as read: who only looks makes no room. **Fails** as `read` does. */
  look(from: OutputPlace, limits: PageLimits): OutputPage {
    const { first, last } = this.#window
    const wanted = this.#start(from)
    const start = Math.max(wanted, first)
    const items: Array<OutputItem> = []
    let characters = 0
    for (let seq = start; seq <= last && items.length < limits.items; seq++) {
      const item = this.item(seq)!
      // The first one goes out however long it is; the tool shows only the beginning of it.
      if (items.length > 0 && characters + item.text.length > limits.characters) break
      items.push(item)
      characters += item.text.length
    }
    const next = start + items.length
    return { items, nextCursor: writeCursor(this.#options.epoch, next), more: next <= last, dropped: start - wanted }
  }

  /** The newest, without counting as read: who looks at them makes no room. */
  peek(count: number): ReadonlyArray<OutputItem> {
    const length = Math.min(count, this.kept)
    return Array.from({ length }, (_, index) => this.item(this.count - length + 1 + index)!)
  }

  /** The item of a number, while it is kept. */
  item(seq: number): OutputItem | undefined {
    if (!(seq >= this.#window.first && seq <= this.#window.last)) return undefined
    return { seq, at: this.#window.addedAt(seq), text: this.#window.get(seq) }
  }

  /** Completes when there is an item behind the cursor, when the stream has ended, after `ms`, or when the reader has gone. */
  async whenMore(cursor: string | undefined, ms: number, signal: AbortSignal): Promise<void> {
    const start = this.#start({ cursor })
    if (start <= this.#window.last || this.#hasEnded || ms <= 0 || signal.aborted) return
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
    return this.#window.last - this.#read >= this.#options.items || this.#unreadBytesAreTooMany
  }

  /** What was read can go when the next item comes, so only what was not keeps the stream waiting. */
  get #unreadBytesAreTooMany(): boolean {
    return this.#window.isHeavy && this.#window.last > this.#read
  }

  /** Makes room: while the stream can wait, only by what was read. */
  #forget(): void {
    const mayForget = this.#options.overflow === "wait" && !this.#hasEnded ? this.#read : this.#window.last
    const { first } = this.#window
    const gone = this.#window.forget(mayForget, this.#options.now())
    this.#dropped += Math.max(0, first + gone - 1 - Math.max(this.#read, first - 1))
  }

  #start({ cursor, tail }: OutputPlace): number {
    if (cursor !== undefined) return readCursor(this.#options.epoch, cursor, this.#window.last)
    return this.#window.last + 1 - (tail === undefined ? this.kept : Math.min(tail, this.kept))
  }
}
