import { isAbsolute } from "node:path"
import { pathToFileURL } from "node:url"
import { threadId, workerData } from "node:worker_threads"
import {
  decodeFrame,
  encodeValue,
  ErrorValue,
  Frame,
  FrameEncoder,
  frameFromBytes,
  frameToBytes,
  UnencodableValue
} from "../serialization/index.ts"
import { FunctionNotLoadable } from "./errors.ts"
import { FlightRecorder, position } from "./FlightRecorder.ts"
import { type FunctionMakers, loadFunction, type PortableFunction } from "./PortableFunction.ts"
import { describe, type FunctionOrigin, type Meter, offer, type StreamFunction } from "./StreamFunction.ts"

/** A frame on its way to a worker. */
export interface FrameTask {
  /** Which record of the flight recorder is this frame's. */
  readonly record: number
  readonly operation: "map" | "filter"
  readonly function: PortableFunction
  /** As `frameToBytes` makes it. Moved. */
  readonly frame: Uint8Array<ArrayBuffer>
  /** Indices of the items that were given up on, in any order. */
  readonly skip: ReadonlyArray<number>
}

export type FrameAnswer =
  | {
      readonly kind: "done"
      /** As `frameToBytes` makes it. Moved. */
      readonly frame: Uint8Array<ArrayBuffer>
      readonly positions: Uint32Array<ArrayBuffer> | undefined
      /** `encodeValue` of pairs of an index and an error, which is encoded itself; by rising index. */
      readonly errors: Uint8Array | undefined
      readonly workMs: number
      /** CPU time of this thread since its last answer. */
      readonly cpuMs: number
    }
  | {
      readonly kind: "not-loadable"
      readonly error: { readonly function: string; readonly kind: "rtfs" | "module"; readonly problem: string }
    }
  /** A defect of this file or of the codec; a function can't cause it. */
  | { readonly kind: "broken"; readonly message: string }

/** What the pool gives each worker when it starts. */
export interface WorkerSettings {
  readonly flights: Int32Array<SharedArrayBuffer>
  readonly limits: unknown
}

export interface WorkerHandlerOptions {
  /** Compiles RTFS text. `limits` are those given to the pool; metering is per item, as on the main thread. */
  readonly compileRtfs: (
    origin: FunctionOrigin & { readonly kind: "rtfs" },
    limits: unknown
  ) => StreamFunction | PromiseLike<StreamFunction>
}

/**
 * Makes what a worker file exports by default for a pool: the function that works one frame off.
 *
 * Frames are worked off one after the other even where functions are asynchronous, so that a worker's end or a time
 * limit is the doing of one known item.
 */
export const createWorkerHandler = (options: WorkerHandlerOptions): ((task: FrameTask) => Promise<unknown>) => {
  const settings = workerData as WorkerSettings
  const worker = new FrameWorker(new FlightRecorder(settings.flights), {
    compileRtfs: (origin) => options.compileRtfs(origin, settings.limits),
    importModule
  })
  // Loaded here and not above: the main thread reads this file, too, and starts without Piscina.
  const piscina = import("piscina")
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const answer = last.then(async () => asMovable(await worker.work(task), await piscina))
    last = answer.catch(() => undefined)
    return answer
  }
}

const importModule: FunctionMakers["importModule"] = (specifier) =>
  import(isAbsolute(specifier) ? pathToFileURL(specifier).href : specifier)

/** An answer whose bytes move to the other thread. */
const asMovable = (
  answer: FrameAnswer,
  { move, transferableSymbol, valueSymbol }: Pick<typeof import("piscina"), "move" | "transferableSymbol" | "valueSymbol">
): unknown => {
  if (answer.kind !== "done") return answer
  const buffers: Array<ArrayBuffer> = [answer.frame.buffer]
  if (answer.positions !== undefined) buffers.push(answer.positions.buffer)
  return move({ [transferableSymbol]: buffers, [valueSymbol]: answer } as never)
}

/** How many functions a worker keeps ready. Making one again costs some 0.1 ms. */
const maxFunctions = 64

interface ReadyFunction {
  readonly call: (item: unknown) => unknown
  readonly meters: ReadonlyArray<Meter>
  /** One for each function, because it learns how its results look. */
  readonly encoder: FrameEncoder
}

/** Works frames off, one at a time. */
export class FrameWorker {
  readonly #recorder: FlightRecorder
  readonly #makers: FunctionMakers
  readonly #ready = new Map<string, ReadyFunction>()
  #reportedCpuMs = 0

  constructor(recorder: FlightRecorder, makers: FunctionMakers) {
    this.#recorder = recorder
    this.#makers = makers
  }

  /** Never rejects. */
  async work(task: FrameTask): Promise<FrameAnswer> {
    const began = performance.now()
    const { record } = task
    this.#recorder.move(record, position.loading)
    this.#recorder.enter(record, threadId)
    try {
      const fn = this.#ready.get(task.function.key) ?? (await this.#load(task.function))
      const frame = frameFromBytes(task.frame)
      const items = decodeFrame(frame)
      const outcome = await runItems(task, items, fn, this.#recorder)
      this.#recorder.move(record, position.answering)
      const results = encodeResults(outcome, frame, fn.encoder)
      const isOneToOne = outcome.values.length === items.length
      return {
        kind: "done",
        frame: frameToBytes(results),
        positions: isOneToOne ? undefined : Uint32Array.from(outcome.positions),
        errors: outcome.errors.length === 0 ? undefined : encodeErrors(outcome.errors),
        workMs: performance.now() - began,
        cpuMs: this.#cpuSinceLastAnswer()
      }
    } catch (error) {
      if (error instanceof FunctionNotLoadable) {
        return { kind: "not-loadable", error: { function: error.function, kind: error.kind, problem: error.problem } }
      }
      return { kind: "broken", message: error instanceof Error ? error.message : String(error) }
    }
  }

  async #load({ bytes, key, name }: PortableFunction): Promise<ReadyFunction> {
    const { fn, meters } = await loadFunction(name, bytes, this.#makers)
    const ready = { call: callerOf(fn), meters, encoder: new FrameEncoder({ stream: name }) }
    if (this.#ready.size >= maxFunctions) this.#ready.delete(this.#ready.keys().next().value!)
    this.#ready.set(key, ready)
    return ready
  }

  #cpuSinceLastAnswer(): number {
    // Node 22 has no clock for the CPU time of one thread.
    const usage = (process as Partial<NodeJS.Process>).threadCpuUsage?.()
    if (usage === undefined) return 0
    const total = (usage.user + usage.system) / 1000
    const cpuMs = total - this.#reportedCpuMs
    this.#reportedCpuMs = total
    return cpuMs
  }
}

/**
 * The function with one argument, or with none if it takes none.
 *
 * Bound, because a loop-heavy function that V8 inlines into `runItems` stays in mid-tier code there for some 40,000
 * items, two to three times as slow; a bound function is not inlined and is optimised by itself.
 */
const callerOf = (fn: StreamFunction): ((item: unknown) => unknown) =>
  describe(fn).maximum === 0 ? () => offer(fn) : (fn.bind(null) as (item: unknown) => unknown)

interface ItemOutcomes {
  values: Array<unknown>
  /** The index in the frame, for each value. */
  positions: Array<number>
  errors: Array<{ readonly index: number; readonly error: unknown }>
}

const runItems = async (
  { operation, record, skip }: FrameTask,
  items: ReadonlyArray<unknown>,
  { call, meters }: ReadyFunction,
  recorder: FlightRecorder
): Promise<ItemOutcomes> => {
  const outcomes: ItemOutcomes = { values: [], positions: [], errors: [] }
  const skipped = new Set(skip)
  for (let index = 0; index < items.length; index++) {
    if (skipped.has(index)) continue
    recorder.move(record, index)
    for (const meter of meters) {
      meter.fuel = meter.slice
      meter.slices = 0
    }
    const item = items[index]
    try {
      const returned = call(item)
      const value = isThenable(returned) ? await returned : returned
      if (operation === "map") {
        outcomes.values.push(value)
        outcomes.positions.push(index)
      } else if (value !== false && value !== null && value !== undefined) {
        outcomes.values.push(item)
        outcomes.positions.push(index)
      }
    } catch (error) {
      outcomes.errors.push({ index, error })
    }
  }
  return outcomes
}

/** The frame of the values. Those that can't be encoded leave them and join the errors. */
const encodeResults = (outcomes: ItemOutcomes, { sequence, stream, time }: Frame, encoder: FrameEncoder): Frame => {
  let encoded: Frame
  try {
    encoded = encoder.encode(outcomes.values, 0, outcomes.values.length, time)
  } catch (error) {
    if (!(error instanceof UnencodableValue)) throw error
    // Each is tried alone, once. Encoding all of them again after each refusal would take quadratic time.
    moveUnencodable(outcomes)
    encoded = encoder.encode(outcomes.values, 0, outcomes.values.length, time)
  }
  return new Frame({ kind: "data", layout: encoded.layout, stream, sequence, time, count: encoded.count, body: encoded.body })
}

const moveUnencodable = (outcomes: ItemOutcomes): void => {
  const { positions, values } = outcomes
  outcomes.values = []
  outcomes.positions = []
  for (const [at, value] of values.entries()) {
    const index = positions[at]!
    try {
      encodeValue(value)
      outcomes.values.push(value)
      outcomes.positions.push(index)
    } catch (error) {
      outcomes.errors.push({ index, error })
    }
  }
  outcomes.errors.sort((one, other) => one.index - other.index)
}

const encodeErrors = (errors: ItemOutcomes["errors"]): Uint8Array =>
  encodeValue(errors.map(({ error, index }) => [index, encodeError(error)]))

/** An error as a value. Whatever of it can't be encoded is left out of it. */
const encodeError = (error: unknown): Uint8Array => {
  try {
    return encodeValue(error)
  } catch {
    const known = error instanceof Error ? ErrorValue.of(error) : error instanceof ErrorValue ? error : undefined
    const message = textOf(known === undefined ? error : known.message)
    return encodeValue(
      known === undefined ? ErrorValue.of(new Error(message)) : new ErrorValue({ type: known.type, name: textOf(known.name), message })
    )
  }
}

const textOf = (thrown: unknown): string => {
  try {
    return String(thrown).toWellFormed()
  } catch {
    return "a value that can't be shown was thrown"
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  value !== null && (typeof value === "object" || typeof value === "function") && typeof (value as PromiseLike<unknown>).then === "function"
