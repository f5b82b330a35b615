import { createHash } from "node:crypto"
import { decodeValue, encodeValue, UnencodableValue } from "../serialization/index.ts"
import { FunctionNotLoadable, FunctionNotPortable } from "./errors.ts"
import type { OffloadTask } from "./OffloadPool.ts"
import { aboutFunction, describe, type FunctionOrigin, type Meter, type StreamFunction } from "./StreamFunction.ts"

/**
 * A function as it travels to a worker: bytes that say how to make it again, and a key that equal functions share.
 *
 * The bytes lie in shared memory: every frame names them, no frame copies them, however large the captured values are.
 */
export interface PortableFunction {
  readonly key: string
  readonly name: string
  readonly bytes: Uint8Array<SharedArrayBuffer>
}

/**
 * The task of running a function in workers. An RTFS function must be synchronous: one that is not calls capabilities,
 * which its own host performs, once.
 *
 * **Fails** (throws) with `FunctionNotPortable` if it can't leave this thread.
 */
export const portableTask = (
  fn: StreamFunction,
  operation: OffloadTask["operation"],
  options: { readonly itemTimeoutMs?: number } = {}
): OffloadTask => {
  const { name, synchronous } = describe(fn)
  const origin = originOf(fn, name)
  if (origin.kind === "rtfs" && !synchronous) {
    throw new FunctionNotPortable({
      function: name,
      problem: "it may call capabilities, which only its own host performs",
      fix: "Move the calls into a stage of their own, or leave its node on this thread."
    })
  }
  const task: OffloadTask = { origin, operation, name, ...options }
  portableFunction(task)
  return task
}

/** Whether `portableTask` takes the function. */
export const isOffloadable = (fn: StreamFunction): boolean => {
  try {
    portableTask(fn, "map")
    return true
  } catch (error) {
    if (error instanceof FunctionNotPortable) return false
    throw error
  }
}

/**
 * How the function of a task travels; encoded once for each origin.
 *
 * RTFS functions travel as their text and the values they captured. What they captured may be functions, each other and
 * themselves included, which travel the same way.
 *
 * **Fails** (throws) with `FunctionNotPortable` for closures and bindings of the host, captured ones too, and for
 * captured values that can't be encoded.
 */
export const portableFunction = (task: Pick<OffloadTask, "origin" | "name">): PortableFunction => {
  const known = encoded.get(task.origin)
  if (known !== undefined) return known
  const name = task.name ?? nameOf(task.origin)
  const found: Array<Found> = [
    { fn: undefined, origin: task.origin, path: name, about: { name, minimum: 0, maximum: Infinity, synchronous: false } }
  ]
  const entries: Array<Entry> = []
  // `found` grows while it is walked: each function finds those that it captured.
  for (let i = 0; i < found.length; i++) entries.push(entryOf(found[i]!, found))
  const data = encodeValue(entries)
  const bytes = new Uint8Array(new SharedArrayBuffer(data.byteLength))
  bytes.set(data)
  const portable = { key: createHash("sha256").update(data).digest("hex").slice(0, 32), name, bytes }
  encoded.set(task.origin, portable)
  return portable
}

const encoded = new WeakMap<FunctionOrigin, PortableFunction>()

/** What a worker makes functions with. */
export interface FunctionMakers {
  /** Compiles RTFS text; `origin.captured` holds values and functions that were made already. */
  readonly compileRtfs: (origin: FunctionOrigin & { readonly kind: "rtfs" }) => StreamFunction | PromiseLike<StreamFunction>
  /** The namespace of a module. */
  readonly importModule: (specifier: string) => Promise<Readonly<Record<string, unknown>>>
}

/**
 * Makes a function from the bytes that it travelled as.
 *
 * @returns the function, and the meters of everything it consists of, to be refilled before each item
 *
 * **Fails** with `FunctionNotLoadable`.
 */
export const loadFunction = async (
  name: string,
  bytes: Uint8Array,
  makers: FunctionMakers
): Promise<{ readonly fn: StreamFunction; readonly meters: ReadonlyArray<Meter> }> => {
  // Out of the shared memory, which text decoders refuse.
  const entries = decodeValue(bytes.slice()) as ReadonlyArray<Entry>
  const made: Array<StreamFunction | undefined> = []
  const begun = new Set<number>()
  const make = async (index: number): Promise<StreamFunction> => {
    const entry = entries[index]!
    if (begun.has(index)) return made[index] ?? forwardTo(entry.about, () => made[index]!)
    begun.add(index)
    const fn = entry.kind === "module" ? await importFunction(name, entry, makers) : await compile(entry)
    made[index] = fn
    return fn
  }
  const compile = async (entry: RtfsEntry): Promise<StreamFunction> => {
    const captured: Array<readonly [string, unknown]> = [...entry.values]
    for (const [symbol, index] of entry.functions) captured.push([symbol, await make(index)])
    // `fromEntries` defines properties where assignment would call the setter of `__proto__`.
    return makers.compileRtfs({ kind: "rtfs", source: entry.source, captured: Object.fromEntries(captured) })
  }
  try {
    const fn = await make(0)
    const meters = made.map((each) => each?.[aboutFunction]?.meter).filter((meter) => meter !== undefined)
    return { fn, meters: [...new Set(meters)] }
  } catch (error) {
    if (error instanceof FunctionNotLoadable) throw error
    throw new FunctionNotLoadable({
      function: name,
      kind: entries[0]!.kind,
      problem: error instanceof Error ? error.message : String(error)
    })
  }
}

type Entry = RtfsEntry | ModuleEntry

interface RtfsEntry {
  readonly kind: "rtfs"
  readonly about: About
  readonly source: string
  readonly values: ReadonlyArray<readonly [symbol: string, value: unknown]>
  /** Captured functions, by their place in the list of entries. */
  readonly functions: ReadonlyArray<readonly [symbol: string, index: number]>
}

interface ModuleEntry {
  readonly kind: "module"
  readonly about: About
  readonly specifier: string
  readonly exportName: string
}

interface About {
  readonly name: string
  readonly minimum: number
  readonly maximum: number
  readonly synchronous: boolean
}

interface Found {
  /** Not known for the function of the task itself, which so comes twice where it captured itself. */
  readonly fn: StreamFunction | undefined
  readonly origin: FunctionOrigin
  readonly about: About
  /** How one gets to it from the task's function, for messages. */
  readonly path: string
}

const entryOf = ({ about, origin, path }: Found, found: Array<Found>): Entry => {
  switch (origin.kind) {
    case "module":
      if (/^\.{1,2}\//.test(origin.specifier)) {
        throw new FunctionNotPortable({
          function: path,
          problem: `it is an export of ${origin.specifier}, which a worker would look for in another folder`,
          fix: "Name the module by its file: URL."
        })
      }
      return { kind: "module", about, specifier: origin.specifier, exportName: origin.exportName }
    case "rtfs":
      return rtfsEntry(origin, about, path, found)
    case "binding":
      throw new FunctionNotPortable({
        function: path,
        problem: `${origin.name} is bound by the host to a function of this thread`,
        fix: "Bind an export of a module instead, or write the function in RTFS, so that a worker can make it again."
      })
    case "closure":
      throw new FunctionNotPortable({
        function: path,
        problem: "it is a JavaScript closure, and what it closes over exists here only",
        fix: "Export it from a module and pass that export, or write it in RTFS, so that a worker can make it again; or leave its node on this thread."
      })
  }
}

const rtfsEntry = (origin: FunctionOrigin & { readonly kind: "rtfs" }, about: About, path: string, found: Array<Found>): RtfsEntry => {
  const values: Array<readonly [string, unknown]> = []
  const functions: Array<readonly [string, number]> = []
  // In one order whatever the order of capture, since equal functions have equal keys.
  for (const symbol of Object.keys(origin.captured).toSorted()) {
    const value = origin.captured[symbol]
    if (typeof value === "function") {
      functions.push([symbol, placeOf(value as StreamFunction, `${path} → ${symbol}`, found)])
    } else {
      refuseUnencodable(value, path, symbol)
      values.push([symbol, value])
    }
  }
  return { kind: "rtfs", about, source: origin.source, values, functions }
}

const placeOf = (fn: StreamFunction, path: string, found: Array<Found>): number => {
  // By the function, since the origin of one and the same may be written down anew each time that it is asked for.
  const place = found.findIndex((each) => each.fn === fn)
  if (place >= 0) return place
  const { maximum, minimum, name, synchronous } = describe(fn)
  return found.push({ fn, origin: originOf(fn, path), path, about: { name, minimum, maximum, synchronous } }) - 1
}

const originOf = (fn: StreamFunction, path: string): FunctionOrigin => {
  try {
    return describe(fn).origin
  } catch (error) {
    throw new FunctionNotPortable({
      function: path,
      problem: error instanceof Error ? error.message : String(error),
      fix: "Leave its node on this thread, or define the function without what it captures."
    })
  }
}

const refuseUnencodable = (value: unknown, path: string, symbol: string): void => {
  try {
    encodeValue(value)
  } catch (error) {
    if (!(error instanceof UnencodableValue)) throw error
    throw new FunctionNotPortable({
      function: path,
      problem: `it uses ${symbol}, and ${error.message}`,
      fix: "Pass the function only plain data: leave the stream, handle or host object out of it."
    })
  }
}

const nameOf = (origin: FunctionOrigin): string =>
  origin.kind === "module" ? `${origin.exportName} of ${origin.specifier}` : origin.kind === "binding" ? origin.name : "fn"

const importFunction = async (name: string, entry: ModuleEntry, makers: FunctionMakers): Promise<StreamFunction> => {
  const exported = (await makers.importModule(entry.specifier))[entry.exportName]
  if (typeof exported === "function") return exported as StreamFunction
  throw new FunctionNotLoadable({
    function: name,
    kind: "module",
    problem: `${entry.specifier} exports no function under the name ${entry.exportName}`
  })
}

/** Stands for a function that is still being made, because it captured itself by way of others. */
const forwardTo = (about: About, target: () => StreamFunction): StreamFunction =>
  Object.assign((...args: ReadonlyArray<unknown>) => target()(...args), {
    [aboutFunction]: { ...about, origin: { kind: "closure" } as const }
  })
