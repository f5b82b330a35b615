import { aboutFunction, describe, type FunctionDescription, type StreamFunction } from "../scheduler/index.ts"
import { isKeyword, nearest } from "../serialization/index.ts"
import { Cell } from "./Cell.ts"
import { failure, hostError, isUncatchable, RtfsError } from "./errors.ts"
import { isPureBuilder, type RtfsHost } from "./Host.ts"
import { errorType } from "./errorType.ts"
import { keywordCall } from "./keywordCall.ts"
import type { Builtin, Context } from "./library/Builtin.ts"
import { library } from "./library/index.ts"
import { attempt, attempting, isThenable, Log, needsAsync, performAsync, performNow } from "./Log.ts"
import { EvaluationMeter, type Limits } from "./Meter.ts"
import type { Position } from "./Position.ts"
import { prelude } from "./prelude.ts"
import { arityText, Trusted, trusted } from "./Trusted.ts"
import { typeName } from "./typeName.ts"

type Invoke = (...args: ReadonlyArray<any>) => unknown

let engines = 0

/** One evaluator at run time: its budget, its host and its globals. Generated code refers to it by name. */
export class Engine implements Context {
  /** Makes the names under which generated code knows this engine unique in the process. */
  readonly id = ++engines
  readonly meter: EvaluationMeter
  readonly limits: Limits
  readonly host: RtfsHost
  readonly cells = new Map<string, Cell>()
  private readonly natives = new Map<Builtin, StreamFunction>()

  constructor(host: RtfsHost, limits: Limits) {
    this.host = host
    this.limits = limits
    this.meter = new EvaluationMeter(limits)
  }

  /** The global of that name, bound or not. Symbols of the host are globals from the start. */
  cell(name: string): Cell {
    let cell = this.cells.get(name)
    if (cell === undefined) {
      cell = this.newCell(name)
      if (this.host.globals.has(name)) cell.set(this.admit(name, this.host.globals.get(name)))
      else if (prelude.has(name)) cell.set(this.admit(name, this.preludeFunction(prelude.get(name)!)))
      else if (library.has(name)) cell.set(this.native(library.get(name)!))
      this.cells.set(name, cell)
    }
    return cell
  }

  /** Gives a global a value of the host. */
  define(name: string, value: unknown): void {
    const cell = this.newCell(name)
    cell.set(this.admit(name, value))
    this.cells.set(name, cell)
  }

  newCell(name: string): Cell {
    return new Cell(
      name,
      (callee, args) => this.call(callee, args),
      (missing) => failure.undefinedSymbol(missing, nearest(missing, this.knownNames()))
    )
  }

  /** All names that have a value here, for "did you mean". */
  knownNames(): Array<string> {
    const bound = [...this.cells.values()].filter((cell) => cell.bound).map((cell) => cell.name)
    return [...bound, ...this.host.globals.keys(), ...library.keys(), ...prelude.keys()]
  }

  /** A value of the host as programs see it: its functions keep the protocol of `Trusted`. */
  private admit(name: string, value: unknown): unknown {
    if (typeof value !== "function" || trusted(value) !== undefined) return value === undefined ? null : value
    const target = value as StreamFunction
    const about = new HostFunction(this, name, target)
    const wrapper: Invoke = about.synchronous ? (...args) => settle(target(...args)) : (...args) => about.enter(args)
    return Object.assign(wrapper, { [aboutFunction]: about })
  }

  private preludeFunction(id: string): Invoke {
    return (...args) => this.host.call(id, args, attempt.log?.hints ?? {}, { file: "prelude", line: 1, column: 1 })
  }

  /** A library function as a value. */
  native(builtin: Builtin): StreamFunction {
    let native = this.natives.get(builtin)
    if (native === undefined) {
      const about = new Native(this, builtin)
      native = Object.assign((...args: ReadonlyArray<unknown>) => about.enter(args), { [aboutFunction]: about }) as StreamFunction
      this.natives.set(builtin, native)
    }
    return native
  }

  call(callee: unknown, args: ReadonlyArray<unknown>): unknown {
    if (typeof callee === "function") {
      const about = trusted(callee)
      if (about === undefined) return this.performNow(() => callee(...args))
      if (args.length < about.minimum || args.length > about.maximum) throw failure.arity(about.name, arityText(about), args.length)
      return about instanceof Native ? about.run(args) : callee(...args)
    }
    return this.callOther(callee, args)
  }

  callAsync(log: Log, callee: unknown, args: ReadonlyArray<unknown>): unknown {
    if (typeof callee === "function") {
      const about = trusted(callee)
      if (about === undefined) return this.performAsync(log, () => callee(...args))
      if (args.length < about.minimum || args.length > about.maximum) throw failure.arity(about.name, arityText(about), args.length)
      return about.synchronous ? callee(...args) : about.invoke(log, args)
    }
    return this.callOther(callee, args)
  }

  private callOther(callee: unknown, args: ReadonlyArray<unknown>): unknown {
    if (isKeyword(callee)) {
      if (args.length < 1 || args.length > 2) throw failure.arity(`:${callee.name}`, "1 to 2", args.length)
      return keywordCall(callee.name, args[0], args.length === 2 ? args[1] : null)
    }
    throw failure.notCallable(typeName(callee))
  }

  /** An effect of the host during a synchronous attempt. */
  performNow(act: () => unknown): unknown {
    const log = attempt.log
    // Reached without an attempt only through a library function that a host called on its own.
    return log === null ? this.guarded(act) : performNow(log, () => this.guarded(act))
  }

  performAsync(log: Log, act: () => unknown): unknown {
    return performAsync(log, () => this.guarded(act))
  }

  hostCall(log: Log | null, id: unknown, args: ReadonlyArray<unknown>, at: Position): unknown {
    const name = capabilityId(id)
    const hints = (log ?? attempt.log)?.hints ?? {}
    const act = () => this.host.call(name, args, hints, at)
    return log === null ? this.performNow(act) : this.performAsync(log, act)
  }

  reference(log: Log | null, name: string): unknown {
    const act = () => {
      const value = this.host.reference?.(name)
      return value === undefined ? `@${name}` : value
    }
    return log === null ? this.performNow(act) : this.performAsync(log, act)
  }

  step(log: Log | null, name: unknown, phase: "start" | "end" | "failed"): void {
    if (typeof name !== "string" && !isKeyword(name)) throw failure.type(`Type error in step: expected a name, got ${typeName(name)}`)
    const act = () => {
      this.host.step?.(typeof name === "string" ? name : name.name, phase)
      return null
    }
    if (log === null) this.performNow(act)
    else this.performAsync(log, act)
  }

  /** Lets only failures of a kind that programs know come out of the host. */
  private guarded(act: () => unknown): unknown {
    let result: unknown
    try {
      result = act()
    } catch (error) {
      throw fromHost(error)
    }
    if (!isThenable(result)) return settle(result)
    const since = performance.now()
    const { meter } = this
    return Promise.resolve(result).then(
      (value) => {
        meter.waited(performance.now() - since)
        return settle(value)
      },
      (error) => {
        throw fromHost(error)
      }
    )
  }
}

const settle = (value: unknown): unknown => (value === undefined ? null : value)

/** The failure of a host function as programs may see it. */
const fromHost = (error: unknown): unknown => {
  if (error instanceof RtfsError || isUncatchable(error) || error === needsAsync) return error
  if (!(error instanceof Error)) return hostError("host-error", String(error), error)
  const data = Object.hasOwn(error, "data") ? (error as { data?: unknown }).data : undefined
  return hostError(errorType(error), error.message, data, error)
}

/** The id of a capability as the host knows it: `:ccos.io/println` is `ccos.io.println`. */
export const capabilityId = (id: unknown): string => {
  const name = isKeyword(id) ? id.name : id
  if (typeof name !== "string") throw failure.type(`Type error in call: expected a keyword or string as capability id, got ${typeName(id)}`)
  return name.replaceAll("/", ".").replace(/^:/, "")
}

/** A function that the host gave. Every call of it is an effect, unless it is a pure builder. */
class HostFunction extends Trusted {
  private readonly engine: Engine
  private readonly target: StreamFunction
  private readonly about: FunctionDescription

  constructor(engine: Engine, name: string, target: StreamFunction) {
    const about = describe(target)
    super(name, about.minimum, about.maximum, isPureBuilder(target))
    this.engine = engine
    this.target = target
    this.about = about
  }

  get origin(): FunctionDescription["origin"] {
    return this.about.origin.kind === "closure" ? { kind: "binding", name: this.name } : this.about.origin
  }

  enter(args: ReadonlyArray<unknown>): unknown {
    if (attempt.log === null) return this.target(...args)
    return this.engine.performNow(() => this.target(...args))
  }

  invoke(log: Log, args: ReadonlyArray<unknown>): unknown {
    return this.engine.performAsync(log, () => this.target(...args))
  }
}

/** A library function as a value. */
class Native extends Trusted {
  private readonly engine: Engine
  private readonly builtin: Builtin

  constructor(engine: Engine, builtin: Builtin) {
    super(builtin.name, builtin.minimum, builtin.maximum, builtin.calls.length === 0)
    this.engine = engine
    this.builtin = builtin
  }

  get origin(): FunctionDescription["origin"] {
    return { kind: "rtfs", source: this.name, captured: {} }
  }

  get meter(): EvaluationMeter {
    return this.engine.meter
  }

  run(args: ReadonlyArray<unknown>): unknown {
    return this.builtin.run(this.engine, ...args)
  }

  enter(args: ReadonlyArray<unknown>): unknown {
    if (this.synchronous || attempt.log !== null) return this.run(args)
    return this.invoke(new Log(), args)
  }

  invoke(log: Log, args: ReadonlyArray<unknown>): unknown {
    return runBuiltin(this.engine, log, this.builtin, args)
  }
}

/** Runs a library function from asynchronous code: synchronously where nothing asynchronous comes up. */
export const runBuiltin = (engine: Engine, log: Log, builtin: Builtin, args: ReadonlyArray<unknown>): unknown => {
  if (builtin.runAsync === undefined) return builtin.run(engine, ...args)
  const start = log.index
  try {
    const value = attempting(log, () => builtin.run(engine, ...args))
    log.forget()
    return value
  } catch (error) {
    if (error !== needsAsync) throw error
  }
  log.index = start
  return builtin.runAsync(engine, log, ...args)
}
