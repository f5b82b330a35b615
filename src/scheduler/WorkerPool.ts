import { availableParallelism } from "node:os"
import { decodeValue, type Frame, FrameEncoder, frameFromBytes, frameToBytes } from "../serialization/index.ts"
import { FunctionNotLoadable, ItemTimeout, PoolClosed, WorkerDied } from "./errors.ts"
import { type FlightRecorder, position } from "./FlightRecorder.ts"
import type { OffloadItemError, OffloadPool, OffloadResult, OffloadStats, OffloadTask } from "./OffloadPool.ts"
import { portableFunction, type PortableFunction } from "./PortableFunction.ts"
import { limitAt, type PoolTimer, realTimer, Watchdog, type Watched } from "./Watchdog.ts"
import { WorkerThreads } from "./WorkerThreads.ts"
import type { FrameAnswer } from "./workerTask.ts"

export interface WorkerPoolOptions {
  /** The module whose default export is `createWorkerHandler(…)`. */
  readonly workerFile: URL
  /** Threads at most; by default one less than there are processors, and at least one. */
  readonly workers?: number
  /** Frames under way at once; by default two for each worker: one it works on, one that waits for it. */
  readonly inFlight?: number
  /** How many workers an item may end before it is given up on. */
  readonly attempts?: number
  /** How long one item may take. */
  readonly itemTimeoutMs?: number
  /** What JavaScript objects may take in one worker. V8 keeps it by its best effort; buffers do not count. */
  readonly workerMemoryMb?: number
  /** Handed to `compileRtfs` in each worker: the limits of metering, as plain data. */
  readonly limits?: unknown
  /** How long a worker may be idle before it is ended. Idle ones never keep the process alive. */
  readonly idleTimeoutMs?: number
  /** How long `close` waits for threads to end. */
  readonly closeTimeoutMs?: number
  readonly timer?: PoolTimer
}

/**
 * Makes the pool of a host. Threads start when the first frame is submitted.
 *
 * It is no `Effect`, because worker files load this folder, and Effect would double the time that a worker takes to
 * start. The host's scope closes it: `Effect.acquireRelease(Effect.sync(make), (pool) => Effect.promise(pool.close))`.
 *
 * **Bounds** `workers` threads, `inFlight` frames posted; submitters beyond that wait here, each with its frame.
 * **Delivery** each submission is answered once, also when workers die: its frame runs again in another worker, without
 * the items that have ended `attempts` workers or passed their time limit. Those fail, their neighbours do not.
 * **Stopping** `close`; a worker in an endless loop is terminated.
 * **Source** invariants PA-2 and PA-3.
 */
export const makeWorkerPool = (options: WorkerPoolOptions): OffloadPool & AsyncDisposable => new WorkerPool(options)

/** A submission, waiting for a credit or under way with one. */
interface Flight extends Watched {
  readonly task: OffloadTask
  readonly fn: PortableFunction
  readonly frame: Frame
  readonly settle: { readonly resolve: (result: OffloadResult) => void; readonly reject: (error: unknown) => void }
  /** The result was given up; the flight only holds its credit until the thread is free. */
  isAbandoned: boolean
  /** Also the number of its record in the flight recorder. −1 while waiting. */
  credit: number
  /** Of the threads that it was posted to last. */
  recorder: FlightRecorder
  /** How many workers an item has ended, or a phase (by its position). */
  readonly deaths: Map<number, number>
  /** The items given up on. */
  readonly failed: Map<number, OffloadItemError>
  /** Workers that ended in a row before they took the frame up, while the pool achieved nothing else. */
  strikes: number
  progressAtStrike: number
}

class WorkerPool implements OffloadPool, AsyncDisposable {
  readonly workers: number
  readonly inFlight: number
  readonly #attempts: number
  readonly #itemTimeoutMs: number
  readonly #closeTimeoutMs: number
  readonly #timer: PoolTimer
  readonly #threads: WorkerThreads
  readonly #watchdog: Watchdog<Flight>
  readonly #freeCredits: Array<number>
  readonly #flights = new Set<Flight>()
  readonly #waiting = new Set<Flight>()
  readonly #counts = {
    mostInFlight: 0,
    frames: 0,
    items: 0,
    itemErrors: 0,
    deaths: 0,
    timeouts: 0,
    retries: 0,
    restarts: 0,
    workerCpuMs: 0
  }
  /** Threads that the watchdog ended: their frames are not to blame for it, but for the one that was overdue. */
  readonly #ended = new Set<number>()
  /** Rises when a frame is answered and when a death is known to be the doing of an item. */
  #progress = 0
  #dispatchMs = firstGuessMs
  #closing: Promise<{ readonly leftRunning: number }> | undefined

  constructor(options: WorkerPoolOptions) {
    this.workers = Math.max(1, Math.floor(options.workers ?? availableParallelism() - 1))
    this.inFlight = Math.max(1, Math.floor(options.inFlight ?? this.workers * 2))
    this.#attempts = Math.max(1, Math.floor(options.attempts ?? 3))
    this.#itemTimeoutMs = options.itemTimeoutMs ?? 30_000
    this.#closeTimeoutMs = options.closeTimeoutMs ?? 5_000
    this.#timer = options.timer ?? realTimer
    this.#freeCredits = Array.from({ length: this.inFlight }, (_, credit) => credit)
    this.#threads = new WorkerThreads({
      file: options.workerFile,
      limits: options.limits,
      maxThreads: this.workers,
      tasksPerThread: Math.ceil(this.inFlight / this.workers),
      records: this.inFlight,
      memoryMb: options.workerMemoryMb ?? 256,
      idleTimeoutMs: options.idleTimeoutMs ?? 10_000
    })
    this.#watchdog = new Watchdog(this.#flights, this.#timer, {
      onOverdue: (flight) => {
        const thread = flight.recorder.threadOf(flight.credit)
        this.#remember(thread)
        this.#threads.end(thread)
      },
      onLost: () => this.#restart()
    })
  }

  get dispatchCostMs(): number {
    return this.#dispatchMs
  }

  readonly stats = (): OffloadStats => ({
    ...this.#counts,
    threads: this.#threads.count,
    inFlight: this.#flights.size,
    waiting: this.#waiting.size,
    dispatchCostMs: this.#dispatchMs
  })

  readonly submit = (task: OffloadTask, frame: Frame, signal?: AbortSignal): Promise<OffloadResult> =>
    new Promise((resolve, reject) => {
      if (this.#closing !== undefined) throw new PoolClosed()
      signal?.throwIfAborted()
      const fn = portableFunction(task)
      const withdraw = () => this.#abandon(flight, signal!.reason)
      const settled = () => signal?.removeEventListener("abort", withdraw)
      const flight: Flight = {
        task,
        fn,
        frame,
        itemTimeoutMs: task.itemTimeoutMs ?? this.#itemTimeoutMs,
        settle: {
          resolve: (result) => (settled(), resolve(result)),
          reject: (error) => (settled(), reject(error))
        },
        isAbandoned: false,
        credit: -1,
        recorder: this.#threads.recorder,
        deaths: new Map(),
        failed: new Map(),
        strikes: 0,
        progressAtStrike: -1,
        seen: { position: position.waiting, forMs: 0 },
        overdue: undefined
      }
      signal?.addEventListener("abort", withdraw)
      this.#waiting.add(flight)
      this.#admit()
    })

  readonly close = (): Promise<{ readonly leftRunning: number }> => (this.#closing ??= this.#close())

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Gives free credits to those who wait, in the order in which they came. */
  #admit(): void {
    for (const flight of this.#waiting) {
      const credit = this.#freeCredits.pop()
      if (credit === undefined) return
      this.#waiting.delete(flight)
      this.#flights.add(flight)
      flight.credit = credit
      this.#counts.mostInFlight = Math.max(this.#counts.mostInFlight, this.#flights.size)
      this.#post(flight, 0)
    }
  }

  /** @param spentMs what the frame has cost this thread already */
  #post(flight: Flight, spentMs: number): void {
    const began = this.#timer.now()
    const { recorder } = this.#threads
    recorder.clear(flight.credit)
    flight.recorder = recorder
    const answer = this.#threads.post({
      record: flight.credit,
      operation: flight.task.operation,
      function: flight.fn,
      frame: frameToBytes(flight.frame),
      skip: [...flight.failed.keys()]
    })
    this.#watchdog.watch(flight)
    const postedMs = spentMs + this.#timer.now() - began
    answer.then(
      (arrived) => this.#land(flight, arrived, postedMs),
      (reason: unknown) => this.#recover(flight, reason, postedMs)
    )
  }

  #land(flight: Flight, answer: FrameAnswer, postedMs: number): void {
    if (this.#closing !== undefined) return
    const began = this.#timer.now()
    this.#progress++
    switch (answer.kind) {
      case "done": {
        const { cpuMs, positions, workMs } = answer
        const errors = this.#errorsOf(flight, answer.errors)
        const result = { frame: frameFromBytes(answer.frame), errors, workMs, ...(positions === undefined ? {} : { positions }) }
        this.#counts.workerCpuMs += cpuMs
        // Before the next frame gets the credit, whose posting is a cost of its own.
        this.#learnCost(postedMs + this.#timer.now() - began + unseenMs)
        return this.#finish(flight, result)
      }
      case "not-loadable":
        return this.#giveUp(flight, new FunctionNotLoadable(answer.error))
      case "broken":
        return this.#giveUp(flight, new Error(`A worker failed on a frame of ${flight.fn.name}, outside its function: ${answer.message}`))
    }
  }

  /** Down faster than up, since a sample may hold a pause of the whole thread, which is not the price of a frame. */
  #learnCost(sampleMs: number): void {
    if (sampleMs < this.#dispatchMs) this.#dispatchMs += (sampleMs - this.#dispatchMs) / 16
    else this.#dispatchMs += (Math.min(sampleMs, this.#dispatchMs * 2) - this.#dispatchMs) / 64
  }

  #errorsOf(flight: Flight, encoded: Uint8Array | undefined): ReadonlyArray<OffloadItemError> {
    const errors = [...flight.failed.values()]
    if (encoded !== undefined) {
      for (const [index, error] of decodeValue(encoded) as ReadonlyArray<readonly [number, Uint8Array]>) {
        errors.push({ index, error: decodeValue(error), attempts: (flight.deaths.get(index) ?? 0) + 1 })
      }
    }
    return errors.sort((one, other) => one.index - other.index)
  }

  #finish(flight: Flight, result: OffloadResult): void {
    this.#counts.frames++
    this.#counts.items += flight.frame.count
    this.#counts.itemErrors += result.errors.length
    this.#release(flight)
    flight.settle.resolve(result)
  }

  #release(flight: Flight): void {
    this.#flights.delete(flight)
    this.#freeCredits.push(flight.credit)
    if (this.#flights.size === 0) this.#watchdog.stop()
    this.#admit()
  }

  #abandon(flight: Flight, reason: unknown): void {
    flight.settle.reject(reason)
    flight.isAbandoned = true
    this.#waiting.delete(flight)
  }

  /** The thread of a flight has ended. Finds out whose doing it was, and posts what is left again. */
  #recover(flight: Flight, reason: unknown, postedMs: number): void {
    if (this.#closing !== undefined) return
    const at = flight.recorder.positionOf(flight.credit)
    const because = reason instanceof Error ? reason.message : String(reason)
    if (at === position.waiting) this.#strike(flight, this.#threads.lastError?.message ?? because)
    else if (!this.#ended.has(flight.recorder.threadOf(flight.credit))) this.#blame(flight, at, because)
    else if (flight.overdue === at) this.#blameForTime(flight, at)
    // Else the watchdog ended the thread for another frame's sake, or a moment too late for this one's.
    if (!this.#flights.has(flight)) return
    if (flight.isAbandoned) return this.#release(flight)
    if (flight.failed.size === flight.frame.count) return this.#finishWithoutResults(flight)
    this.#counts.retries++
    this.#post(flight, postedMs)
  }

  #blame(flight: Flight, at: number, reason: string): void {
    this.#progress++
    this.#counts.deaths++
    const attempts = (flight.deaths.get(at) ?? 0) + 1
    flight.deaths.set(at, attempts)
    if (attempts < this.#attempts) return
    const during = at >= 0 ? "worked on one item" : at === position.loading ? "was being loaded" : "sent its results"
    const error = new WorkerDied({ function: flight.fn.name, attempts, during, reason })
    if (at >= 0) flight.failed.set(at, { index: at, error, attempts })
    else this.#giveUp(flight, error)
  }

  #blameForTime(flight: Flight, at: number): void {
    this.#counts.timeouts++
    if (at < 0) return this.#blame(flight, at, `it took more than ${limitAt(flight, at)} ms`)
    this.#progress++
    const error = new ItemTimeout({ function: flight.fn.name, timeoutMs: flight.itemTimeoutMs })
    flight.failed.set(at, { index: at, error, attempts: (flight.deaths.get(at) ?? 0) + 1 })
  }

  /** No item of this frame is to blame: mostly it waited behind a frame that is. Or no worker can start at all. */
  #strike(flight: Flight, reason: string): void {
    if (flight.progressAtStrike !== this.#progress) flight.strikes = 0
    flight.progressAtStrike = this.#progress
    flight.strikes++
    if (flight.strikes < Math.max(this.#attempts, leastStrikes)) return
    this.#giveUp(flight, new WorkerDied({ function: flight.fn.name, attempts: flight.strikes, during: "had not begun yet", reason }))
  }

  #giveUp(flight: Flight, error: Error): void {
    this.#release(flight)
    flight.settle.reject(error)
  }

  #finishWithoutResults(flight: Flight): void {
    const { sequence, stream, time } = flight.frame
    const frame = new FrameEncoder({ stream, sequence }).encode([], 0, 0, time)
    this.#finish(flight, { frame, positions: new Uint32Array(0), errors: this.#errorsOf(flight, undefined), workMs: 0 })
  }

  /** A thread hangs in the operating system, or none gets ready. Leaves all behind; their frames are posted again. */
  #restart(): void {
    this.#counts.restarts++
    for (const flight of this.#flights) this.#remember(flight.recorder.threadOf(flight.credit))
    this.#threads.restart()
  }

  #remember(endedThread: number): void {
    this.#ended.add(endedThread)
    // Thread ids are never used again, so the oldest is the first that nobody asks for.
    if (this.#ended.size > 256 + this.inFlight) this.#ended.delete(this.#ended.values().next().value!)
  }

  async #close(): Promise<{ readonly leftRunning: number }> {
    this.#watchdog.stop()
    const closed = new PoolClosed()
    for (const flight of [...this.#flights, ...this.#waiting]) flight.settle.reject(closed)
    this.#flights.clear()
    this.#waiting.clear()
    const deadline = Promise.withResolvers<void>()
    const cancel = this.#timer.after(this.#closeTimeoutMs, deadline.resolve)
    const leftRunning = await this.#threads.close(deadline.promise)
    cancel()
    return { leftRunning }
  }
}

const firstGuessMs = 0.1

/** The frame to blame may be found after the one that waited behind it, so one end of a worker says nothing yet. */
const leastStrikes = 3

/** What a task costs this thread where it can't be timed from here: Piscina's books, the message port, the promises. */
const unseenMs = 0.03
