import type { Frame } from "../serialization/index.ts"
import type { FunctionOrigin } from "./StreamFunction.ts"

/** Runs functions over frames in other threads. Islands see this; `makeWorkerPool` makes the one over Piscina. */
export interface OffloadPool {
  /** How many threads may work at once. */
  readonly workers: number
  /** Frames that may be under way at once, over all its users. More submitters than that wait, first come first served. */
  readonly inFlight: number
  /**
   * Runs the task's function over the items of a data frame in a worker.
   *
   * The frame is copied once into a buffer that moves to the worker, so it stays as it is and may be submitted again.
   * A task is a pure function of its items: where a worker dies, the frame runs again in another one.
   *
   * @param signal gives the result up. A frame that waits for a credit is withdrawn; one under way runs to its end
   *   (or to its time limit) and keeps its credit until then, because the thread is busy for that long.
   *
   * **Fails** the promise with `PoolClosed`; with `WorkerDied` where workers end before they reach an item; with
   *   `FunctionNotPortable` or `FunctionNotLoadable` where no worker can have the function (ask `portableTask` when the
   *   pipeline is built); with the signal's reason. An item's failure is in the result and never rejects.
   * **Backpressure** the promise stays pending while all credits are used.
   */
  readonly submit: (task: OffloadTask, frame: Frame, signal?: AbortSignal) => Promise<OffloadResult>
  /**
   * What one frame costs this thread, in milliseconds: copying it out, posting it, taking its result in. It follows the
   * last some dozen frames, the undisturbed ones more than those that were. Encoding the frame and decoding the result
   * are the caller's to measure.
   */
  readonly dispatchCostMs: number
  readonly stats: () => OffloadStats
  /**
   * Rejects what is under way, ends the threads and waits for them, hung ones too. Idempotent; the pool of a host is
   * closed by the host's scope.
   *
   * @returns how many threads had not ended at the deadline: they hang in the operating system, not in a function
   */
  readonly close: () => Promise<{ readonly leftRunning: number }>
}

export interface OffloadTask {
  /** Where the worker gets the function from: RTFS text or a module's export. */
  readonly origin: FunctionOrigin
  /** Keep what the function returns, or keep the items it returns anything but nil and false for. */
  readonly operation: "map" | "filter"
  /** For messages. */
  readonly name?: string
  /** How long one item may take, instead of the pool's limit. */
  readonly itemTimeoutMs?: number
}

export interface OffloadResult {
  /** `map`: the results of the items that succeeded. `filter`: the items that were kept. In the order of the items. */
  readonly frame: Frame
  /** Of each item of `frame`, the index in the submitted frame. Left out where that is the same. */
  readonly positions?: Uint32Array
  /** The items that failed, by rising index in the submitted frame. */
  readonly errors: ReadonlyArray<OffloadItemError>
  /** How long the worker worked on the frame, decoding and encoding included. */
  readonly workMs: number
}

export interface OffloadItemError {
  readonly index: number
  /** What the function threw (an `Error` arrives as `ErrorValue`), an `ItemTimeout` or a `WorkerDied`. */
  readonly error: unknown
  /** How often the item was tried in this submission: 1, but for items that ended their worker. */
  readonly attempts: number
}

export interface OffloadStats {
  /** Threads that exist now. The pool starts them on demand and ends idle ones. */
  readonly threads: number
  readonly inFlight: number
  readonly waiting: number
  /** The most that `inFlight` ever was. */
  readonly mostInFlight: number
  readonly frames: number
  readonly items: number
  readonly itemErrors: number
  /** Workers that ended by themselves, and those that were ended because an item took too long. */
  readonly deaths: number
  readonly timeouts: number
  /** Frames that ran again because their worker ended. */
  readonly retries: number
  /** How often all threads were left behind: one hung in the operating system, or none got ready. */
  readonly restarts: number
  /** CPU time that workers spent on frames, 0 under Node versions that can't tell. */
  readonly workerCpuMs: number
  readonly dispatchCostMs: number
}
