import { type Position, positionText } from "./Position.ts"

/**
 * Where a failure comes from: the text, its meaning, its evaluation, or a spent budget.
 *
 * A program can catch `runtime` failures only.
 */
export type ErrorKind = "read" | "syntax" | "runtime" | "limit"

/** One thing that `check` found in a program. */
export interface Diagnostic {
  readonly severity: "error" | "warning"
  readonly kind: "read" | "syntax"
  readonly type: string
  readonly message: string
  readonly at: Position
  readonly expected?: string | undefined
  readonly suggestion?: string | undefined
}

/** One RTFS function that was being evaluated, and where in it. */
export interface Frame {
  readonly name: string
  readonly at: Position
}

export interface RtfsErrorOptions {
  readonly kind?: ErrorKind
  readonly at?: Position | undefined
  readonly data?: unknown
  readonly cause?: unknown
  readonly expected?: string | undefined
  readonly suggestion?: string | undefined
  readonly diagnostics?: ReadonlyArray<Diagnostic>
  /** Whether a capability or binding of the host failed, so that `(catch HostError e …)` takes it. */
  readonly host?: boolean
}

/**
 * A failure of an RTFS program, as the host sees it and as `catch` binds it.
 *
 * In a program it answers `(:type e)`, `(:message e)`, `(:data e)` and `(getMessage e)`. Its `stack` never shows
 * frames of JavaScript; `frames` are the RTFS functions it went through, innermost first.
 */
export class RtfsError extends Error {
  readonly kind: ErrorKind
  /** The name of the keyword that `(:type e)` gives, such as `division-by-zero`. */
  readonly type: string
  at: Position | undefined
  readonly data: unknown
  readonly expected: string | undefined
  readonly suggestion: string | undefined
  readonly host: boolean
  readonly frames: Array<Frame>
  /** All that is wrong with a text that could not be read or analysed. */
  readonly diagnostics: ReadonlyArray<Diagnostic>

  constructor(type: string, message: string, options: RtfsErrorOptions = {}) {
    // Capturing a JavaScript stack costs 3 µs for each failing item and would show host frames to the program.
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    Error.stackTraceLimit = limit
    this.kind = options.kind ?? "runtime"
    this.type = type
    this.at = options.at
    this.data = options.data ?? null
    this.expected = options.expected
    this.suggestion = options.suggestion
    this.host = options.host ?? false
    this.frames = []
    this.diagnostics = options.diagnostics ?? []
  }

  override get name(): string {
    return "RtfsError"
  }

  /**
   * The failure for a person: message, the line of the program with a caret, what was expected, the nearest known
   * name, and the RTFS functions it went through.
   *
   * @param source the text of the program; without it the line and caret are left out
   */
  render(source?: string): string {
    const first = describeProblem(`${titles[this.kind]}: ${this.message}`, this, source)
    const others = this.diagnostics.slice(1).map((one) => describeProblem(one.message, one, source))
    const frames = this.frames.map((frame) => `  in ${frame.name} at ${positionText(frame.at)}`)
    return [first, ...others, ...frames].join("\n")
  }
}

/** `(throw value)` that nobody caught: the host finds the thrown value in `payload`, a catcher gets it back. */
export class ThrownValue extends RtfsError {
  readonly payload: unknown

  constructor(type: string, message: string, payload: unknown) {
    super(type, message, { data: payload })
    this.payload = payload
  }
}

const titles: Record<ErrorKind, string> = {
  read: "Cannot read the program",
  syntax: "Cannot compile the program",
  runtime: "Error",
  limit: "Limit reached"
}

const describeProblem = (
  message: string,
  problem: { readonly at?: Position | undefined; readonly expected?: string | undefined; readonly suggestion?: string | undefined },
  source: string | undefined
): string => {
  const lines = [withPlace(message, problem.at, source)]
  if (problem.expected !== undefined) lines.push(`  expected ${problem.expected}`)
  if (problem.suggestion !== undefined) lines.push(`  did you mean ${problem.suggestion}?`)
  return lines.join("\n")
}

/** A message with the place in the program that it is about, and that line with a caret where the program is at hand. */
export const withPlace = (message: string, at: Position | undefined, source: string | undefined): string => {
  if (at === undefined) return message
  const text = source === undefined ? undefined : lineOf(source, at.line)
  return [message, `  at ${positionText(at)}`, ...(text === undefined ? [] : excerpt(text, at))].join("\n")
}

const lineOf = (source: string, line: number): string | undefined => source.split(/\r\n|\n|\r/, line)[line - 1]

/** The line and a caret below the column; of a very long line only the part around the caret. */
const excerpt = (line: string, at: Position): ReadonlyArray<string> => {
  const from = Math.max(0, at.column - 61)
  const shown = (from > 0 ? "…" : "") + line.slice(from, from + 120).replaceAll("\t", " ")
  const gutter = `${at.line} | `
  const indent = at.column - 1 - from + (from > 0 ? 1 : 0)
  return [`  ${gutter}${shown}`, `  ${" ".repeat(gutter.length + indent)}^`]
}

/** Failures of evaluation, each with its `:type`. */
export const failure = {
  type: (message: string, data?: unknown) => new RtfsError("type-error", message, { data }),
  arity: (name: string, expected: string, got: number) =>
    new RtfsError("arity-error", `Arity mismatch in ${name}: expected ${expected}, got ${got}`),
  undefinedSymbol: (name: string, suggestion?: string) => new RtfsError("undefined-symbol", `Undefined symbol: ${name}`, { suggestion }),
  divisionByZero: () => new RtfsError("division-by-zero", "Division by zero"),
  bounds: (message: string) => new RtfsError("index-out-of-bounds", message),
  argument: (message: string) => new RtfsError("invalid-argument", message),
  match: (message: string) => new RtfsError("match-error", message),
  validation: (message: string, data?: unknown) => new RtfsError("validation-error", message, { data }),
  json: (message: string) => new RtfsError("json-error", message),
  notCallable: (what: string) => new RtfsError("not-callable", `Not callable: ${what}`),
  stackOverflow: (depth: number) =>
    new RtfsError("stack-overflow", `Calls are nested more than ${depth} deep. Use loop and recur for long repetitions.`),
  nesting: () => new RtfsError("invalid-argument", "The value is nested more than 512 deep")
}

/** A failure of the host seen from a program: catchable, of the class `HostError`. */
export const hostError = (type: string, message: string, data?: unknown, cause?: unknown): RtfsError =>
  new RtfsError(type, message, { data, host: true, cause })

/** A spent budget. No `catch` of a program takes it. */
export const limitError = (limit: "fuel" | "memory" | "time", message: string): RtfsError =>
  new RtfsError("budget-exhausted", message, { kind: "limit", data: { limit } })

/** Whether a program must not be able to swallow this: limits, and the host's own interruption signals. */
export const isUncatchable = (error: unknown): boolean =>
  error instanceof RtfsError ? error.kind !== "runtime" : error instanceof Error && error.name === "AbortError"

/** How deep forms and values may be nested where code recurses over them. */
export const maximumNesting = 512
