import { aboutFunction, describe, type FunctionDescription, type StreamFunction } from "../scheduler/index.ts"

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

/** Goes on with a result, at once or when its promise is kept. */
export const whenSettled = <A>(result: unknown, next: (value: unknown) => A): A | PromiseLike<A> =>
  typeof result === "object" && result !== null && typeof (result as Partial<PromiseLike<unknown>>).then === "function"
    ? (result as PromiseLike<unknown>).then(next)
    : next(result)

/** A function of ours, made for this, as what a stage applies. */
export const ownFunction = (name: string, arity: number, call: (...args: ReadonlyArray<any>) => unknown): StreamFunction =>
  describedAs(call, arity, { name, synchronous: true })

const describedAs = (
  call: (...args: ReadonlyArray<any>) => unknown,
  arity: number,
  about: Pick<FunctionDescription, "name" | "synchronous" | "meter">
): StreamFunction => {
  const description: FunctionDescription = { ...about, minimum: arity, maximum: arity, origin: { kind: "closure" } }
  return Object.assign(call, { [aboutFunction]: description })
}
