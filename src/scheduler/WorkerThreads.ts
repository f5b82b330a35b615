import type { Piscina } from "piscina"
import { FlightRecorder } from "./FlightRecorder.ts"
import type { FrameAnswer, FrameTask, WorkerSettings } from "./workerTask.ts"

/**
 * The threads of a worker pool: Piscina, with what it leaves to its users.
 *
 * - Its queue is unlimited and its `needsDrain` comes late; the pool above counts credits and never posts more than
 *   `tasksPerThread` × `maxThreads`.
 * - Aborting a task by signal allows one task in each thread, which would idle it for a round trip after each frame.
 *   So a hung thread is terminated itself, and the tasks in its queue come back as rejections, as after any death.
 * - A task queued for a thread that never gets ready is forgotten. `restart` gives it back.
 */
export class WorkerThreads {
  readonly #options: ThreadOptions
  #generation: Generation | undefined
  #isClosed = false
  /** Why a thread ended last, as far as Piscina told, for messages. */
  lastError: Error | undefined

  constructor(options: ThreadOptions) {
    this.#options = options
  }

  /** How many exist, those getting ready included. */
  get count(): number {
    return this.#generation?.piscina?.threads.length ?? 0
  }

  /** The flight recorder of the threads that the next task is posted to. */
  get recorder(): FlightRecorder {
    return this.#current().recorder
  }

  /** **Fails** the promise when the thread ended, or `restart` or `close` ended it. The frame's bytes are moved. */
  post(task: FrameTask): Promise<FrameAnswer> {
    const { piscina, starting } = this.#current()
    return piscina === undefined ? starting.then((started) => run(started, task)) : run(piscina, task)
  }

  /** Ends one thread, which may hang in a function. Its tasks are rejected when it has ended. */
  end(threadId: number): void {
    const thread = this.#generation?.piscina?.threads.find((each) => each.threadId === threadId)
    // No answer is awaited: the exit event is what counts.
    void thread?.terminate()
  }

  /** Ends all threads and rejects all tasks; the next `post` starts new ones, with another recorder. */
  restart(): void {
    const old = this.#generation
    this.#generation = undefined
    void old?.piscina?.destroy()
  }

  /** Ends all threads, and waits for that until the deadline resolves. Returns how many had not ended by then. */
  async close(deadline: Promise<unknown>): Promise<number> {
    this.#isClosed = true
    const old = this.#generation
    this.#generation = undefined
    if (old === undefined) return 0
    const piscina = old.piscina ?? (await old.starting.catch(() => undefined))
    const threads = piscina?.threads ?? []
    await Promise.race([piscina?.destroy(), deadline])
    return threads.filter((thread) => thread.threadId >= 0).length
  }

  #current(): Generation {
    return (this.#generation ??= this.#begin())
  }

  #begin(): Generation {
    this.lastError = undefined
    const recorder = FlightRecorder.ofSize(this.#options.records)
    // Piscina takes some 20 ms to load, which programs without a worker do not wait for.
    const starting = import("piscina").then(({ Piscina: Pool }) => {
      if (this.#isClosed) throw new Error("The pool was closed while it started.")
      return (generation.piscina = this.#makePiscina(Pool, recorder))
    })
    const generation: Generation = { recorder, starting, piscina: undefined }
    return generation
  }

  #makePiscina(Pool: typeof Piscina, recorder: FlightRecorder): Piscina {
    const { file, limits, maxThreads, memoryMb, idleTimeoutMs, tasksPerThread } = this.#options
    const settings: WorkerSettings = { flights: recorder.words, limits }
    const piscina: Piscina = new Pool({
      filename: file.href,
      workerData: settings,
      minThreads: 0,
      maxThreads,
      idleTimeout: idleTimeoutMs,
      concurrentTasksPerWorker: tasksPerThread,
      maxQueue: maxThreads * tasksPerThread,
      // Waiting in `Atomics.wait` would freeze what a function does asynchronously, and measures no faster.
      atomics: "disabled",
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
      // A thread of its own before a place behind another task: Piscina's own balancer would fill the first thread.
      loadBalancer: (_task, threads) => {
        const idle = threads.find((thread) => thread.currentUsage === 0)
        if (idle !== undefined || piscina.threads.length < maxThreads) return idle ?? null
        const least = threads.reduce((one, other) => (other.currentUsage < one.currentUsage ? other : one), threads[0]!)
        return least !== undefined && least.currentUsage < tasksPerThread ? least : null
      }
    })
    // Without a listener, one bad worker ends the host.
    piscina.on("error", (error: Error) => (this.lastError = error))
    piscina.on("workerDestroy", () =>
      queueMicrotask(() => {
        // The last thread ended before it was ready: nothing else would ever give these tasks back.
        if (this.#generation?.piscina === piscina && piscina.threads.length === 0 && piscina.queueSize > 0) this.restart()
      })
    )
    return piscina
  }
}

interface ThreadOptions {
  readonly file: URL
  readonly limits: unknown
  readonly maxThreads: number
  readonly tasksPerThread: number
  /** Records of the flight recorder. */
  readonly records: number
  readonly memoryMb: number
  readonly idleTimeoutMs: number
}

/** Threads that came into being together, and the recorder they write to. */
interface Generation {
  readonly recorder: FlightRecorder
  readonly starting: Promise<Piscina>
  piscina: Piscina | undefined
}

const run = (piscina: Piscina, task: FrameTask): Promise<FrameAnswer> =>
  piscina.run(task, { transferList: [task.frame.buffer] }) as Promise<FrameAnswer>
