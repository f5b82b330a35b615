import type { Log } from "../Log.ts"
import type { EvaluationMeter } from "../Meter.ts"

/** What a library function may use besides its arguments. */
export interface Context {
  readonly meter: EvaluationMeter
  /** Calls any callable value during a synchronous attempt. */
  call(callee: unknown, args: ReadonlyArray<unknown>): unknown
  /** Calls any callable value from asynchronous code; gives the value or a promise. */
  callAsync(log: Log, callee: unknown, args: ReadonlyArray<unknown>): unknown
}

/**
 * A function of the standard library.
 *
 * One that takes functions has an asynchronous form too, which gives each call time before the next.
 */
export interface Builtin {
  readonly name: string
  readonly minimum: number
  readonly maximum: number
  readonly run: (context: Context, ...args: ReadonlyArray<any>) => unknown
  readonly runAsync?: (context: Context, log: Log, ...args: ReadonlyArray<any>) => Promise<unknown>
  /** Which arguments it calls. */
  readonly calls: ReadonlyArray<number>
}

export type Run = Builtin["run"]

/** A library function that calls none of its arguments. */
export const builtin = (name: string, minimum: number, maximum: number, run: Run): Builtin => ({ name, minimum, maximum, run, calls: [] })

/**
 * A library function that calls some of its arguments, written once: a generator that yields `[callee, args]` and
 * gets the result. It is driven by plain calls in the synchronous form and by awaiting ones in the asynchronous form.
 */
export const higherOrder = (
  name: string,
  minimum: number,
  maximum: number,
  calls: ReadonlyArray<number>,
  body: (context: Context, ...args: ReadonlyArray<any>) => Generator<Request, unknown, unknown>,
  fast?: Run
): Builtin => ({
  name,
  minimum,
  maximum,
  calls,
  run: fast ?? ((context, ...args) => drive(context, body(context, ...args))),
  runAsync: (context, log, ...args) => driveAsync(context, log, body(context, ...args))
})

/** A call that a library function wants made. */
export type Request = readonly [callee: unknown, args: ReadonlyArray<unknown>]

const drive = (context: Context, steps: Generator<Request, unknown, unknown>): unknown => {
  let next = steps.next()
  while (next.done !== true) next = steps.next(context.call(next.value[0], next.value[1]))
  return next.value
}

const driveAsync = async (context: Context, log: Log, steps: Generator<Request, unknown, unknown>): Promise<unknown> => {
  let next = steps.next()
  while (next.done !== true) {
    const result = context.callAsync(log, next.value[0], next.value[1])
    next = steps.next(result instanceof Promise ? await result : result)
  }
  return next.value
}
