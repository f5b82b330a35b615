import { Readable } from "node:stream"
import * as Effect from "effect/Effect"
import { InvalidCall, shown } from "../errors.ts"

/** How long closing an iterable may take before the stream ends without it. */
const closeMs = 1000

/** A synchronous iterable is read until it has given this many items or has taken this long. */
const mostAtOnce = 128
const longestMs = 1

type Batch = { readonly items: ReadonlyArray<unknown> } | null

/**
 * Reads an iterable of the host, once.
 *
 * **Stopping** interrupting a read loses nothing: what the iterator still owes is given to the next read.
 */
export abstract class IterableReader {
  /** How many items it has given. */
  taken = 0
  /** Whether reading can begin again: nothing was taken yet, and the iterable gives an iterator anew. */
  readonly isRepeatable: () => boolean
  /** What the iterator threw; it gives nothing more after that. */
  protected failure: { readonly error: unknown } | undefined
  protected hasEnded = false

  /** The next items, or `null` at the end. */
  abstract readonly read: Effect.Effect<Batch, unknown>
  abstract readonly close: Effect.Effect<void>

  protected constructor(isOwnIterator: boolean) {
    this.isRepeatable = () => this.taken === 0 && !isOwnIterator
  }

  /**
   * @param position how many items an earlier life of the stream took; they can't be got again
   *
   * **Fails** with `InvalidCall`, or with what the iterator threw when it was read before.
   */
  static open(iterable: unknown, position: number): Effect.Effect<IterableReader, unknown> {
    return Effect.try({ try: () => open(iterable, position), catch: (error) => error })
  }

  protected get isOver(): boolean {
    return this.hasEnded || this.failure !== undefined
  }

  /** Why another stream can't read on. */
  get refusal(): unknown {
    return (
      this.failure?.error
      ?? invalid(
        "was given an iterator that was read before: what it gave can't be read again. Bind something that gives a new one each time."
      )
    )
  }
}

/**
 * The reader of each iterator that was ever read, and of its iterable: who reads it again would find it at its end, as if
 * all were done.
 */
const readers = new WeakMap<object, IterableReader>()

const open = (iterable: unknown, position: number): IterableReader => {
  if (position > 0) throw invalid(`can't go on behind item ${position}: an iterable can be read only once. Start the stream anew.`)
  const iterator = iteratorOf(iterable)
  const isOwnIterator = iterator.it === iterable
  // Streams of Node and of the web make a new iterator each time, but there is only one stream to read.
  const earlier = readers.get(iterator.it) ?? (Readable.isDisturbed(iterable as Readable) ? readers.get(iterable as object) : undefined)
  if (earlier !== undefined) throw earlier.refusal
  const reader = iterator.isAsync ? new AsyncReader(iterator.it, isOwnIterator) : new SyncReader(iterator.it, isOwnIterator)
  readers.set(iterator.it, reader)
  readers.set(iterable as object, reader)
  return reader
}

type Opened = { readonly isAsync: true; readonly it: AsyncIterator<unknown> } | { readonly isAsync: false; readonly it: Iterator<unknown> }

const iteratorOf = (iterable: unknown): Opened => {
  let opened: Opened | undefined
  try {
    if (isAsyncIterable(iterable)) opened = { isAsync: true, it: iterable[Symbol.asyncIterator]() }
    else if (isIterable(iterable)) opened = { isAsync: false, it: iterable[Symbol.iterator]() }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw Object.assign(invalid(`can't open the iterable it was given: ${why}`), { cause: error })
  }
  if (opened === undefined) throw invalid(`needs an iterable of the host, but got ${shown(iterable)}.`)
  if (typeof opened.it?.next !== "function") throw invalid("was given an iterable whose iterator has no next().")
  return opened
}

const invalid = (problem: string) => new InvalidCall("stream.from-iterable", problem)

class AsyncReader extends IterableReader {
  readonly #iterator: AsyncIterator<unknown>
  /** The request that is under way, until a read has taken what came of it. */
  #underWay: Promise<IteratorResult<unknown>> | undefined

  constructor(iterator: AsyncIterator<unknown>, isOwnIterator: boolean) {
    super(isOwnIterator)
    this.#iterator = iterator
  }

  readonly read: Effect.Effect<Batch, unknown> = Effect.suspend(() => {
    if (this.hasEnded) return Effect.succeed(null)
    return Effect.matchEffect(Effect.tryPromise({ try: () => (this.#underWay ??= this.#request()), catch: (error) => error }), {
      onSuccess: (result) => this.#take(result),
      onFailure: (error) => this.#fail(error)
    })
  })

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isOver || this.#iterator.return === undefined) return Effect.void
      const isOwing = this.#underWay !== undefined
      const closed = Promise.resolve(this.#iterator.return()).then(
        () => {},
        () => {}
      )
      if (isOwing) return Effect.void
      return Effect.interruptible(
        Effect.raceFirst(
          Effect.promise(() => closed),
          Effect.sleep(closeMs)
        )
      )
    }).pipe(Effect.ignoreCause)
  }

  async #request(): Promise<IteratorResult<unknown>> {
    // Taken apart here, where what a getter throws is a failure of the iterator.
    const { done, value } = resultOf(await this.#iterator.next())
    return { done: done === true, value }
  }

  #take({ done, value }: IteratorResult<unknown>): Effect.Effect<Batch> {
    this.#underWay = undefined
    if (done === true) {
      this.hasEnded = true
      return Effect.succeed(null)
    }
    this.taken++
    return Effect.succeed({ items: [value] })
  }

  #fail(error: unknown): Effect.Effect<never, unknown> {
    this.#underWay = undefined
    this.failure = { error }
    return Effect.fail(error)
  }
}

class SyncReader extends IterableReader {
  readonly #iterator: Iterator<unknown>

  constructor(iterator: Iterator<unknown>, isOwnIterator: boolean) {
    super(isOwnIterator)
    this.#iterator = iterator
  }

  readonly read: Effect.Effect<Batch, unknown> = Effect.suspend(() => {
    const items: Array<unknown> = []
    const until = performance.now() + longestMs
    // What it failed with may have to wait until the items before it are handed out.
    while (!this.hasEnded && this.failure === undefined && items.length < mostAtOnce) {
      try {
        const { done, value } = resultOf(this.#iterator.next())
        if (done === true) this.hasEnded = true
        else items.push(value)
      } catch (error) {
        this.failure = { error }
      }
      if (performance.now() > until) break
    }
    this.taken += items.length
    if (items.length > 0) return Effect.succeed({ items })
    return this.failure === undefined ? Effect.succeed(null) : Effect.fail(this.failure.error)
  })

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.isOver) this.#iterator.return?.()
      return Effect.void
    }).pipe(Effect.ignoreCause)
  }
}

const resultOf = <A>(result: IteratorResult<A>): IteratorResult<A> => {
  if (typeof result === "object" && result !== null) return result
  throw invalid(`needs an iterator whose next() gives { value, done }, but it gave ${shown(result)}.`)
}

export const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  value !== null && typeof value === "object" && typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === "function"

export const isIterable = (value: unknown): value is Iterable<unknown> =>
  value !== null && typeof value === "object" && typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function"
