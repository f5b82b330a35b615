import { aboutFunction, describe, offer, type FunctionDescription, type StreamFunction } from "../scheduler/index.ts"

/**
 * A function around one of the program's, as what a stage applies: code of ours that can fail has its place in it, so
 * that its failure is one of the item.
 *
 * Its steps are counted with those of the function inside, whose budget is refilled for each item. What else is known
 * of that function does not hold for this one: it can't be made again in a worker.
 *
 * @param call calls `fn`, and takes exactly `arity` arguments; a promise only where `fn` may give one
 */
export const wrapFunction = (fn: StreamFunction, arity: number, call: (...args: ReadonlyArray<any>) => unknown): StreamFunction => {
  // Read by name: some descriptions have getters, which a spread would leave out.
  const { meter, name, synchronous } = describe(fn)
  return describedAs(call, arity, { name, synchronous, ...(meter === undefined ? {} : { meter }) })
}

/**
 * The same around several functions. Each is called by `callWithMeter`, because each may have a budget of its own.
 */
export const wrapFunctions = (
  name: string,
  fns: ReadonlyArray<StreamFunction | undefined>,
  arity: number,
  call: (...args: ReadonlyArray<any>) => unknown
): StreamFunction => describedAs(call, arity, { name, synchronous: fns.every((fn) => fn === undefined || describe(fn).synchronous) })

/**
 * How to call a function with up to two arguments, as many of them as it takes. Found out once: to ask for each item takes
 * longer than a light function does.
 *
 * @param offered how many arguments there are
 */
export const caller = (fn: StreamFunction, offered: 1 | 2): ((first: unknown, second?: unknown) => unknown) => {
  const taken = Math.min(offered, describe(fn).maximum)
  return taken === 2 ? (first, second) => fn(first, second) : taken === 1 ? (first) => fn(first) : () => fn()
}

/** The same, its budget refilled before each call. */
export const callerWithMeter = (fn: StreamFunction, offered: 1 | 2): ((first: unknown, second?: unknown) => unknown) => {
  const { meter } = describe(fn)
  const call = caller(fn, offered)
  if (meter === undefined) return call
  return (first, second) => {
    meter.fuel = meter.slice
    meter.slices = 0
    return call(first, second)
  }
}

/** Calls a function with as many of the arguments as it takes, its budget refilled. */
export const callWithMeter = (fn: StreamFunction, ...args: ReadonlyArray<unknown>): unknown => {
  const { meter } = describe(fn)
  if (meter !== undefined) {
    meter.fuel = meter.slice
    meter.slices = 0
  }
  return offer(fn, ...args)
}

/** Goes on with a result, at once or when its promise is kept. */
export const whenSettled = <A>(result: unknown, next: (value: unknown) => A): A | PromiseLike<A> =>
  typeof result === "object" && result !== null && typeof (result as Partial<PromiseLike<unknown>>).then === "function"
    ? (result as PromiseLike<unknown>).then(next)
    : next(result)

/** A function of ours, made for this, as what a stage applies. */
export const ownFunction = (name: string, arity: number, call: (...args: ReadonlyArray<any>) => unknown): StreamFunction => {
  const own = describedAs(call, arity, { name, synchronous: true })
  owned.add(own)
  return own
}

/** Whether a function is one of ours, and around none of the program. */
export const isOwnFunction = (fn: StreamFunction): boolean => owned.has(fn)

const owned = new WeakSet<StreamFunction>()

const describedAs = (
  call: (...args: ReadonlyArray<any>) => unknown,
  arity: number,
  about: Pick<FunctionDescription, "name" | "synchronous" | "meter">
): StreamFunction => {
  const description: FunctionDescription = { ...about, minimum: arity, maximum: arity, origin: { kind: "closure" } }
  return Object.assign(call, { [aboutFunction]: description })
}
