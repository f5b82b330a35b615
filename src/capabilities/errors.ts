import { HostObject, nearestOrPart, TaggedError } from "../serialization/index.ts"

/**
 * A call of a capability that can't be made as it was written: an unknown option, a wrong value, a missing subject.
 * Nothing was started.
 */
export class InvalidCall extends TaggedError {
  readonly _tag = "InvalidCall"
  readonly capability: string
  readonly option: string | undefined

  constructor(capability: string, problem: string, option?: string) {
    super(`:${capability} ${problem}`)
    this.capability = capability
    this.option = option
  }

  /** An option that the capability does not have; names the nearest one that it has. */
  static unknownOption(capability: string, option: string, known: ReadonlyArray<string>): InvalidCall {
    const near = nearestOrPart(option, known)
    const list = known.length === 0 ? "it takes none" : `it takes ${known.map((name) => `:${name}`).join(" ")}`
    return new InvalidCall(
      capability,
      `has no option :${option}; ${near === undefined ? list : `did you mean :${near}?`}`,
      option
    )
  }
}

/** A capability id that the marketplace does not know. */
export class UnknownCapability extends TaggedError {
  readonly _tag = "UnknownCapability"
  readonly capability: string

  constructor(capability: string, known: Iterable<string>) {
    const near = nearestOrPart(capability, known)
    super(
      `There is no capability :${capability}` +
        (near === undefined ? "; `rtfs-streams capabilities` lists what there is." : `; did you mean :${near}?`)
    )
    this.capability = capability
  }
}

/** A stream held more than its stated bound allows. Says what was kept and how to go on. */
export class BoundExceeded extends TaggedError {
  readonly _tag = "BoundExceeded"
  readonly capability: string
  /** What had been collected until then, where the capability collects. */
  readonly collected: unknown

  constructor(capability: string, what: string, remedy: string, collected?: unknown) {
    super(`:${capability} ${what}. ${remedy}`)
    this.capability = capability
    this.collected = collected
  }
}

/** A function of the program gave something else than its protocol asks for. */
export class InvalidResult extends TaggedError {
  readonly _tag = "InvalidResult"

  constructor(capability: string, option: string, expected: string, got: unknown) {
    super(`:${capability} expects :${option} to give ${expected}, but it gave ${shown(got)}.`)
  }
}

/** A circuit breaker was open, and items were not to wait: the function was not called. */
export class CircuitOpen extends TaggedError {
  readonly _tag = "CircuitOpen"
  /** After so many ms another call is let through; `Infinity` while it is being tried. */
  readonly retryInMs: number

  constructor(about: { readonly failures: number; readonly calls: number; readonly retryInMs: number }) {
    const again = about.retryInMs === Infinity ? "when its trial calls have passed" : `in ${Math.ceil(about.retryInMs)} ms`
    super(
      `The circuit breaker is open: ${about.failures} of the last ${about.calls} calls failed. It lets calls through again ${again}. `
        + "Let items wait with :when-open :wait, or give them an :on-failure."
    )
    this.retryInMs = about.retryInMs
  }
}

/** The call that was to show whether a circuit breaker may close did not come back in time. */
export class TrialTimeout extends TaggedError {
  readonly _tag = "TrialTimeout"

  constructor(fn: string, timeoutMs: number) {
    super(
      `The trial call of ${fn} did not come back within ${timeoutMs} ms (:trial-timeout), so the circuit breaker stays open and the item has failed. `
        + "Raise :trial-timeout if such calls may take longer."
    )
  }
}

/** A handle was used in a way that its state does not allow. */
export class HandleMisuse extends TaggedError {
  readonly _tag = "HandleMisuse"

  constructor(message: string) {
    super(message)
  }
}

/** A value as a message shows it: short, and never the inside of an object of the host. */
export const shown = (value: unknown): string => {
  if (value === null || value === undefined) return "nil"
  if (typeof value === "function") return "a function"
  if (typeof value === "string") return value.length > 60 ? `"${value.slice(0, 57)}…"` : JSON.stringify(value)
  if (Array.isArray(value)) return `a vector of ${value.length}`
  if (value instanceof HostObject) return value.label
  if (typeof value === "object") return Object.getPrototypeOf(value) === Object.prototype ? "a map" : String(value)
  return String(value)
}
