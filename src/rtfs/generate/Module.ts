import type { Engine } from "../Engine.ts"
import type { Binding } from "../Node.ts"
import type { Position } from "../Position.ts"
import { type Support, support } from "./support.ts"

/** The places of a generated text, by number: where each step that may fail stands, and in which function. */
export interface Places {
  readonly at: Array<Position>
  readonly functions: Array<string>
}

let modules = 0

/**
 * One generated text and the values of its free identifiers. All names are ours; every literal is encoded or becomes a
 * free identifier; no text of a program gets in.
 *
 * A module for pasting gives its free identifiers names that are unique in the process wherever their values differ, so
 * that texts of several modules can stand in one function. Elsewhere names are short: V8 reads them faster.
 */
export class Module {
  readonly engine: Engine
  private readonly prefix: string
  private readonly number = ++modules
  private readonly variables = new Map<Binding, string>()
  readonly free = new Map<string, unknown>()
  readonly places: Places = { at: [], functions: [] }
  readonly engineName: string
  readonly meterName: string
  readonly placesName: string
  private readonly constants = new Map<unknown, string>()

  constructor(engine: Engine, pasted = false) {
    this.engine = engine
    this.prefix = pasted ? `r${this.number}_` : ""
    this.engineName = `re${engine.id}`
    this.meterName = `rm${engine.id}`
    this.placesName = `${this.prefix}p`
    this.free.set(this.engineName, engine)
    this.free.set(this.meterName, engine.meter)
    this.free.set(this.placesName, this.places)
  }

  /** An expression for a value that is no variable. */
  constant(value: unknown): string {
    if (value === null || typeof value === "boolean") return String(value)
    if (typeof value === "string") return JSON.stringify(value)
    if (typeof value === "number") {
      if (Object.is(value, -0)) return "(-0)"
      return Number.isFinite(value)
        ? value < 0
          ? `(${value})`
          : String(value)
        : Number.isNaN(value)
          ? "(0/0)"
          : value > 0
            ? "(1/0)"
            : "(-1/0)"
    }
    if (typeof value === "bigint") return `(${value}n)`
    let name = this.constants.get(value)
    if (name === undefined) {
      name = `${this.prefix}k${this.constants.size}`
      this.constants.set(value, name)
      this.free.set(name, value)
    }
    return name
  }

  /** The name of a variable of the text. */
  variable(binding: Binding): string {
    let name = this.variables.get(binding)
    if (name === undefined) this.variables.set(binding, (name = `v${this.variables.size}`))
    return name
  }

  /** Gives a variable from outside of the text its value. */
  capture(binding: Binding, value: unknown): void {
    const name = `${this.prefix}c${this.variables.size}`
    this.variables.set(binding, name)
    this.free.set(name, value)
  }

  /** A function of the runtime. */
  support(name: keyof Support): string {
    const identifier = `rs_${name}`
    this.free.set(identifier, support[name])
    return identifier
  }

  place(at: Position, name: string): number {
    this.places.functions.push(name)
    return this.places.at.push(at) - 1
  }

  /** Evaluates an expression text of this module. */
  instantiate(source: string): unknown {
    // The comment makes each text unique: V8 shares what it learns about equal texts, which slows all of them down.
    return new Function(...this.free.keys(), `"use strict";return ${source}\n//${this.number}`)(...this.free.values())
  }
}
