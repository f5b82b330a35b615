import { aboutFunction, type FunctionDescription, type StreamFunction } from "../scheduler/index.ts"
import type { Log } from "./Log.ts"

/**
 * The description of a function that this runtime made and that keeps its protocol: called during a synchronous
 * attempt it gives a value or throws `needsAsync`, and writes effects into the log; called from outside it gives a
 * value or a promise. Any other function is foreign: calling it is an effect.
 */
export abstract class Trusted implements FunctionDescription {
  readonly name: string
  readonly minimum: number
  readonly maximum: number
  readonly synchronous: boolean

  constructor(name: string, minimum: number, maximum: number, synchronous: boolean) {
    this.name = name
    this.minimum = minimum
    this.maximum = maximum
    this.synchronous = synchronous
  }

  abstract get origin(): FunctionDescription["origin"]

  /** Calls the function from asynchronous code; gives the value or a promise. */
  abstract invoke(log: Log, args: ReadonlyArray<unknown>): unknown
}

/** The description, if the value is a function of this runtime. */
export const trusted = (value: unknown): Trusted | undefined => {
  if (typeof value !== "function") return undefined
  const about = (value as StreamFunction)[aboutFunction]
  return about instanceof Trusted ? about : undefined
}

/** How many arguments a function takes, for messages. */
export const arityText = (about: { readonly minimum: number; readonly maximum: number }): string =>
  about.minimum === about.maximum
    ? String(about.minimum)
    : about.maximum === Infinity
      ? `at least ${about.minimum}`
      : `${about.minimum} to ${about.maximum}`
