import {
  makeOrderedWindow,
  type OffloadPool,
  type OffloadResult,
  type OffloadTask,
  type OrderedWindow,
  type Outcome
} from "../scheduler/index.ts"
import { decodeFrame, FrameEncoder, UnencodableValue } from "../serialization/index.ts"

/**
 * One stage whose function works on several items at a time, between the islands before and after it.
 *
 * Values go in by `offer` and come out by `take` in the same order, each with its result. What is in here belongs to
 * the actor's position: it outlives the actor's lives, so no call is made twice because the actor was restarted.
 *
 * **Order** as offered. A value that failed holds those behind it back until it is skipped or has been tried again.
 */
export interface ConcurrentWindow {
  readonly isEmpty: boolean
  /** Values that came in, and values that are done with: what is next in order is number `left + 1`. */
  readonly entered: number
  readonly left: number
  /** @returns false where there is no room */
  offer(value: unknown): boolean
  /** Starts what has been gathered so far; to be called when no more values are at hand. */
  flush(): void
  /** Appends what is next in order to `into`: at most `max` values. Stops before one that failed, see `failure`. */
  take(into: Array<Entered>, max: number): number
  /** What is next failed. Then `skip` or `retry`. */
  readonly failure: WindowFailure | undefined
  skip(): void
  retry(): void
  /** Calls back once, later, when `take` or `offer` may have become possible. @returns withdraws that */
  wait(wants: "outcome" | "outcome-or-room", wake: () => void): () => void
  /** Gives all of it up. */
  abandon(): void
  /** The values in here, oldest first; after `abandon` those that it gave up. */
  entries(): ReadonlyArray<unknown>
  /** Counts on from so many values, all done with. */
  restore(entered: number): void
}

/** A value with what the stage's function made of it. */
export interface Entered {
  readonly value: unknown
  readonly result: unknown
}

export interface WindowFailure {
  readonly value: unknown
  readonly cause: unknown
  /** Whether the value is to blame; otherwise it is what runs the functions, and skipping would be wrong. */
  readonly isOfItem: boolean
}

/** Up to `parallelism` calls under way on this thread: for functions that wait. */
export class CallWindow implements ConcurrentWindow {
  entered = 0
  left = 0
  failure: WindowFailure | undefined
  private givenUp: ReadonlyArray<unknown> = []
  private readonly calls: OrderedWindow<unknown, unknown>
  /** The call for a value that failed before, which comes before all others. */
  private readonly again: OrderedWindow<unknown, unknown> = makeOrderedWindow({ running: 1 })
  private readonly fn: (value: unknown) => unknown

  constructor(fn: (value: unknown) => unknown, parallelism: number) {
    this.fn = fn
    this.calls = makeOrderedWindow({ running: parallelism })
  }

  get isEmpty(): boolean {
    return this.failure === undefined && this.calls.isEmpty && this.again.isEmpty
  }

  offer(value: unknown): boolean {
    if (!this.calls.hasRoom) return false
    this.entered++
    this.calls.start(value, this.fn)
    return true
  }

  flush(): void {
    // Every call started when its value came in.
  }

  take(into: Array<Entered>, max: number): number {
    let taken = 0
    while (taken < max && this.failure === undefined) {
      const outcome = (this.again.isEmpty ? this.calls : this.again).take()
      if (outcome === undefined) break
      if (outcome.ok) {
        into.push({ value: outcome.entry, result: outcome.value })
        this.left++
        taken++
      } else {
        this.failure = { value: outcome.entry, cause: outcome.error, isOfItem: true }
      }
    }
    return taken
  }

  skip(): void {
    this.failure = undefined
    this.left++
  }

  retry(): void {
    if (this.failure === undefined) return
    const { value } = this.failure
    this.failure = undefined
    this.again.start(value, this.fn)
  }

  wait(wants: "outcome" | "outcome-or-room", wake: () => void): () => void {
    return (this.again.isEmpty ? this.calls : this.again).wait(wants, wake)
  }

  restore(entered: number): void {
    this.entered = this.left = entered
  }

  abandon(): void {
    this.givenUp = this.entries()
    this.calls.abandon()
    this.again.abandon()
    this.failure = undefined
  }

  entries(): ReadonlyArray<unknown> {
    const failed = this.failure === undefined ? [] : [this.failure.value]
    return [...this.givenUp, ...failed, ...this.again.entries(), ...this.calls.entries()]
  }
}

/** Items that travel to a worker together. */
type Task = ReadonlyArray<unknown>

/** One item of a task that has come back. */
type Returned = { readonly value: unknown; readonly result: unknown } | { readonly value: unknown; readonly cause: unknown }

/**
 * Calls in the worker pool, as frames of items sized for a few milliseconds of work each.
 *
 * **Bounds** 8 tasks for each worker, of which 3 are under way; a task has at most 512 items.
 * **Delivery** an item is tried again in another worker when its worker dies; the pool tells how often.
 */
export class TaskWindow implements ConcurrentWindow {
  entered = 0
  left = 0
  failure: WindowFailure | undefined
  private failedTask: Task = []
  private givenUp: ReadonlyArray<unknown> = []
  private gathered: Array<unknown> = []
  private itemsPerTask: number
  private msPerItem: number
  private returned: Array<Returned> = []
  private nextReturned = 0
  private readonly pool: OffloadPool
  private readonly task: OffloadTask
  private readonly encoder: FrameEncoder
  private readonly tasks: OrderedWindow<Task, OffloadResult>
  private readonly again: OrderedWindow<Task, OffloadResult> = makeOrderedWindow({ running: 1 })

  /** @param msPerItem what an item costs, as far as it is known */
  constructor(pool: OffloadPool, task: OffloadTask, stream: string, msPerItem = 0) {
    this.pool = pool
    this.task = task
    this.encoder = new FrameEncoder({ stream })
    this.tasks = makeOrderedWindow({ running: 3 * pool.workers, held: 8 * pool.workers })
    this.msPerItem = msPerItem
    this.itemsPerTask = msPerItem > 0 ? fitting(msPerItem) : firstTask
  }

  get isEmpty(): boolean {
    return this.failure === undefined && this.gathered.length === 0 && this.tasks.isEmpty && this.again.isEmpty && !this.hasReturned
  }

  offer(value: unknown): boolean {
    if (this.gathered.length >= this.itemsPerTask) {
      this.flush()
      if (this.gathered.length >= this.itemsPerTask) return false
    }
    this.entered++
    this.gathered.push(value)
    return true
  }

  flush(): void {
    if (this.gathered.length === 0 || !this.tasks.hasRoom) return
    const task = this.gathered
    this.gathered = []
    this.tasks.start(task, this.submit)
  }

  take(into: Array<Entered>, max: number): number {
    let taken = 0
    while (taken < max && this.failure === undefined) {
      if (!this.hasReturned && !this.takeTask()) break
      const item = this.returned[this.nextReturned++]!
      if ("cause" in item) {
        this.failure = { value: item.value, cause: item.cause, isOfItem: true }
        this.failedTask = [item.value]
      } else {
        this.left++
        into.push(item)
        taken++
      }
    }
    return taken
  }

  skip(): void {
    this.failure = undefined
    this.failedTask = []
    this.left++
  }

  retry(): void {
    if (this.failure === undefined) return
    const task = this.failedTask
    this.failure = undefined
    // What came back behind the item has to wait for it, so the item goes first and is put before the rest.
    this.again.start(task, this.submit)
  }

  wait(wants: "outcome" | "outcome-or-room", wake: () => void): () => void {
    return (this.again.isEmpty ? this.tasks : this.again).wait(wants, wake)
  }

  entries(): ReadonlyArray<unknown> {
    const returned = this.returned.slice(this.nextReturned).map(({ value }) => value)
    const failed = this.failure === undefined ? [] : this.failedTask
    return [...this.givenUp, ...failed, ...this.again.entries().flat(), ...returned, ...this.tasks.entries().flat(), ...this.gathered]
  }

  restore(entered: number): void {
    this.entered = this.left = entered
  }

  abandon(): void {
    this.givenUp = this.entries()
    this.tasks.abandon()
    this.again.abandon()
    this.gathered = []
    this.returned = []
    this.nextReturned = 0
    this.failure = undefined
  }

  private get hasReturned(): boolean {
    // While an item is tried again, nothing behind it is next.
    return this.again.isEmpty && this.nextReturned < this.returned.length
  }

  /** Takes the next task that has come back apart. @returns whether there was one that worked */
  private takeTask(): boolean {
    const isAgain = !this.again.isEmpty
    const outcome = (isAgain ? this.again : this.tasks).take()
    if (outcome === undefined) return false
    if (!outcome.ok) {
      this.failure = { value: outcome.entry[0], cause: outcome.error, isOfItem: false }
      this.failedTask = outcome.entry
      return false
    }
    const items = this.itemsOf(outcome)
    this.returned = isAgain ? [...items, ...this.returned.slice(this.nextReturned)] : items
    this.nextReturned = 0
    this.resize(outcome.value.workMs, outcome.entry.length)
    return this.returned.length > 0
  }

  private itemsOf({ entry, value: { errors, frame, positions } }: Extract<Outcome<Task, OffloadResult>, { ok: true }>): Array<Returned> {
    const isFilter = this.task.operation === "filter"
    const items: Array<Returned> = entry.map((value) => ({ value, result: null }))
    const results = decodeFrame(frame)
    for (let i = 0; i < results.length; i++) {
      const at = positions ? positions[i]! : i
      // What a filter keeps is the item that was sent, not the worker's copy; for the others its result stays nil.
      items[at] = { value: entry[at], result: isFilter ? true : results[i] }
    }
    for (const { error, index } of errors) items[index] = { value: entry[index], cause: error }
    return items
  }

  private resize(workMs: number, items: number): void {
    const each = workMs / items
    this.msPerItem = this.msPerItem === 0 ? each : this.msPerItem * 0.75 + each * 0.25
    this.itemsPerTask = Math.min(fitting(this.msPerItem), this.itemsPerTask * 2)
  }

  private readonly submit = (task: Task, signal: AbortSignal): Promise<OffloadResult> => {
    try {
      return this.pool.submit(this.task, this.encoder.encode(task, 0, task.length, Date.now()), signal)
    } catch (error) {
      if (!(error instanceof UnencodableValue) || error.index < 0) throw error
      return this.submitWithout(error.index, error, task, signal)
    }
  }

  /** An item that can't be encoded fails; the others are sent without it. */
  private async submitWithout(bad: number, error: unknown, task: Task, signal: AbortSignal): Promise<OffloadResult> {
    const others = task.toSpliced(bad, 1)
    if (others.length === 0)
      return { frame: this.encoder.encode([], 0, 0, Date.now()), errors: [{ index: 0, error, attempts: 1 }], workMs: 0 }
    const result = await this.submit(others, signal)
    const place = (index: number) => (index < bad ? index : index + 1)
    const positions = result.positions ?? Uint32Array.from({ length: result.frame.count }, (_, index) => index)
    return {
      ...result,
      positions: positions.map(place),
      errors: [...result.errors.map((each) => ({ ...each, index: place(each.index) })), { index: bad, error, attempts: 1 }]
    }
  }
}

const firstTask = 16
const largestTask = 512
const taskMs = 3
const fitting = (msPerItem: number): number => Math.max(1, Math.min(largestTask, Math.ceil(taskMs / msPerItem)))
