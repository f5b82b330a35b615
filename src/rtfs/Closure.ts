import { aboutFunction, type FunctionDescription, type InlineFunction, type StreamFunction } from "../scheduler/index.ts"
import type { Engine } from "./Engine.ts"
import { attempt, attempting, Log, needsAsync } from "./Log.ts"
import type { FunctionNode } from "./Node.ts"
import { Trusted } from "./Trusted.ts"

type Invoke = (...args: ReadonlyArray<any>) => unknown
type AsyncForm = (log: Log, ...args: ReadonlyArray<unknown>) => Promise<unknown>

/** What the compiler does for closures on demand; kept apart so that this file does not depend on the generator. */
export interface SiteCompiler {
  isMetered(node: FunctionNode): boolean
  /** Compiles the asynchronous form; given the captured values, it gives the function. */
  asyncFactory(site: Site): (captured: ReadonlyArray<unknown>) => AsyncForm
  inline(closure: Closure): InlineFunction | undefined
  origin(closure: Closure): FunctionDescription["origin"]
}

/** A function expression of a program: what all closures made by it share. */
export class Site {
  readonly node: FunctionNode
  readonly engine: Engine
  readonly compiler: SiteCompiler
  readonly minimum: number
  readonly maximum: number
  private factory: ((captured: ReadonlyArray<unknown>) => AsyncForm) | undefined
  private abandoned = 0
  private calls = 0

  constructor(node: FunctionNode, engine: Engine, compiler: SiteCompiler) {
    this.node = node
    this.engine = engine
    this.compiler = compiler
    this.minimum = node.parameters.length
    this.maximum = node.rest === undefined ? node.parameters.length : Infinity
  }

  asyncForm(captured: ReadonlyArray<unknown>): AsyncForm {
    this.factory ??= this.compiler.asyncFactory(this)
    return this.factory(captured)
  }

  /** Counts an attempt in vain. After a few the asynchronous form runs at once, with a new attempt now and then. */
  noteAbandoned(): void {
    this.abandoned = Math.min(this.abandoned + 1, 4)
  }

  noteCompleted(): void {
    this.abandoned = 0
  }

  get worthAnAttempt(): boolean {
    return this.abandoned < 4 || ++this.calls % 256 === 0
  }
}

/** The description of one RTFS function value. */
export class Closure extends Trusted {
  readonly site: Site
  readonly captured: Array<unknown>
  /** The synchronous form. */
  private raw: Invoke
  /** The function as programs and the host see it. */
  readonly value: StreamFunction
  private asyncForm: AsyncForm | undefined
  private inlined: InlineFunction | undefined

  constructor(site: Site, raw: Invoke, captured: Array<unknown>) {
    super(site.node.name, site.minimum, site.maximum, site.node.synchronous)
    this.site = site
    this.raw = raw
    this.captured = captured
    this.value = (site.node.synchronous ? raw : this.wrapper()) as StreamFunction
    ;(this.value as { [aboutFunction]?: FunctionDescription })[aboutFunction] = this
  }

  /**
   * A function that is compiled when it is called for the first time.
   *
   * @param compiled told of the synchronous form, if calls may go to it directly from then on
   */
  static lazy(site: Site, compile: () => Invoke, compiled: (raw: Invoke) => void): Closure {
    let ready: Invoke | undefined
    const get = (): Invoke => {
      if (ready === undefined) {
        ready = closure.raw = compile()
        if (closure.synchronous) compiled(ready)
      }
      return ready
    }
    const closure: Closure = new Closure(site, forward(site, get), [])
    return closure
  }

  /** Absent for functions that need no refill before each call. */
  get meter(): Engine["meter"] | undefined {
    return this.site.compiler.isMetered(this.site.node) ? this.site.engine.meter : undefined
  }

  get origin(): FunctionDescription["origin"] {
    return this.site.compiler.origin(this)
  }

  get inline(): InlineFunction | undefined {
    return (this.inlined ??= this.site.compiler.inline(this))
  }

  invoke(log: Log, args: ReadonlyArray<unknown>): unknown {
    if (this.site.worthAnAttempt) {
      const start = log.index
      try {
        const value = attempting(log, () => this.raw(...args))
        this.site.noteCompleted()
        log.forget()
        return value
      } catch (error) {
        if (error !== needsAsync) throw error
      }
      this.site.noteAbandoned()
      log.index = start
    }
    this.asyncForm ??= this.site.asyncForm(this.captured)
    return this.asyncForm(log, ...args)
  }

  private wrapper(): Invoke {
    const enter = (args: ReadonlyArray<unknown>): unknown => this.invoke(new Log(), args)
    switch (this.minimum === this.maximum ? this.minimum : -1) {
      case 0:
        return () => (attempt.log !== null ? this.raw() : enter([]))
      case 1:
        return (a) => (attempt.log !== null ? this.raw(a) : enter([a]))
      case 2:
        return (a, b) => (attempt.log !== null ? this.raw(a, b) : enter([a, b]))
      case 3:
        return (a, b, c) => (attempt.log !== null ? this.raw(a, b, c) : enter([a, b, c]))
      default:
        return (...args) => (attempt.log !== null ? this.raw(...args) : enter(args))
    }
  }
}

/** A function that calls another one, with as many parameters. */
const forward = (site: Site, get: () => Invoke): Invoke => {
  switch (site.minimum === site.maximum ? site.minimum : -1) {
    case 0:
      return () => get()()
    case 1:
      return (a) => get()(a)
    case 2:
      return (a, b) => get()(a, b)
    case 3:
      return (a, b, c) => get()(a, b, c)
    default:
      return (...args) => get()(...args)
  }
}

/** Makes a function value. Called by generated code. */
export const makeFunction = (site: Site, raw: Invoke, captured: Array<unknown>): StreamFunction => new Closure(site, raw, captured).value
