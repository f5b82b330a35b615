import { aboutFunction, type FunctionDescription, type StreamFunction } from "../scheduler/index.ts"
import type { Position } from "./Position.ts"

/** What evaluation needs of the host. */
export interface RtfsHost {
  /**
   * Performs one call. May give a value or a promise. What it throws is catchable in the program as a `HostError`
   * unless it is a limit error.
   *
   * @param id the capability, with dots throughout: `ccos.io.println`
   * @param hints the `runtime.*` metadata around the call, without the prefix
   */
  call(id: string, args: ReadonlyArray<unknown>, hints: Readonly<Record<string, unknown>>, at: Position): unknown
  /** Symbols of the host: functions (each call of one is an effect, unless it is made by `pureBuilder`) and values. */
  readonly globals: ReadonlyMap<string, unknown>
  /** The capabilities there are, for messages. */
  readonly capabilityIds?: Iterable<string>
  /** The value of `@name`, or undefined; then it is the string "@name". */
  reference?(name: string): unknown
  /** Told when a `(step "name" …)` starts and ends. */
  step?(name: string, phase: "start" | "end" | "failed"): void
}

const pureMark: unique symbol = Symbol("rtfs-streams/pure-builder")

/**
 * Makes a function of the host that has no effect and gives its value at once, such as `stream.map`: programs may call
 * it any number of times, and a function that calls it stays synchronous.
 */
export const pureBuilder = <F extends (...args: ReadonlyArray<any>) => unknown>(
  name: string,
  build: F,
  arity: { readonly minimum?: number; readonly maximum?: number } = {}
): F => {
  const builder = ((...args: ReadonlyArray<unknown>) => build(...args)) as unknown as F & {
    [aboutFunction]: FunctionDescription
    [pureMark]: true
  }
  builder[pureMark] = true
  builder[aboutFunction] = {
    name,
    minimum: arity.minimum ?? 0,
    maximum: arity.maximum ?? Infinity,
    synchronous: true,
    origin: { kind: "binding", name }
  }
  return builder
}

export const isPureBuilder = (value: unknown): value is StreamFunction => typeof value === "function" && Object.hasOwn(value, pureMark)
