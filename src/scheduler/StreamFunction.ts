/**
 * A function as the streaming layers see it, whoever wrote it: RTFS, a module, a host binding or a host closure.
 *
 * Calling it gives the value, or a promise where the work is asynchronous (never, if `synchronous`). A plain closure
 * of the host is one as it is; what a compiler or binding knows more of it stands under `aboutFunction`.
 */
export interface StreamFunction {
  (...args: ReadonlyArray<any>): unknown
  readonly [aboutFunction]?: FunctionDescription
}

/** The property under which a function carries its description. */
export const aboutFunction: unique symbol = Symbol("rtfs-streams/about-function")

/** What the planner, the island generator, the worker pool and a checkpoint need to know of a function. */
export interface FunctionDescription {
  /** The name for messages: `valid?`, or `fn` for one without a name. */
  readonly name: string
  /** How many arguments it takes. `maximum` is `Infinity` with a rest parameter. */
  readonly minimum: number
  readonly maximum: number
  /** Never returns a promise. The island then leaves out the check for one. */
  readonly synchronous: boolean
  /** How it can be made again elsewhere: in a worker, or in the process that resumes a checkpoint. */
  readonly origin: FunctionOrigin
  /** Present where the function can be written into an island's generated loop. */
  readonly inline?: InlineFunction
  /** The meter to be refilled before each item; absent for functions that are not metered. */
  readonly meter?: Meter
}

export type FunctionOrigin =
  /** RTFS text and the values it captured, by symbol. Captured functions are StreamFunctions. */
  | { readonly kind: "rtfs"; readonly source: string; readonly captured: Readonly<Record<string, unknown>> }
  /** An export of a module that a worker can import. */
  | { readonly kind: "module"; readonly specifier: string; readonly exportName: string }
  /** A symbol that the host binds under the same name wherever the program runs. */
  | { readonly kind: "binding"; readonly name: string }
  /** A JavaScript closure: it can't leave this thread. */
  | { readonly kind: "closure" }

/**
 * The text of one JavaScript function expression, made by our own compiler (never by a program), and the values of
 * its free identifiers. An island evaluates the text once more, so that each pipeline has feedback of its own.
 */
export interface InlineFunction {
  readonly source: string
  readonly free: Readonly<Record<string, unknown>>
}

/**
 * A budget of evaluation steps. `fuel` counts down; when it is spent the runtime looks at the clock and at `slices`,
 * and either refills it or fails with a limit error. Per item: `meter.fuel = meter.slice; meter.slices = 0`.
 */
export interface Meter {
  fuel: number
  slices: number
  readonly slice: number
}

/** The description of a function; a plain closure of the host takes anything and may return a promise. */
export const describe = (fn: StreamFunction): FunctionDescription =>
  fn[aboutFunction] ?? {
    name: fn.name || "fn",
    minimum: 0,
    maximum: Infinity,
    synchronous: false,
    origin: { kind: "closure" }
  }

/** Calls with as many of the arguments on offer as the function takes: `(fn [] …)` may be given an item. */
export const offer = (fn: StreamFunction, ...args: ReadonlyArray<unknown>): unknown => {
  const maximum = fn[aboutFunction]?.maximum ?? Infinity
  return args.length <= maximum ? fn(...args) : fn(...args.slice(0, maximum))
}
