import { AsyncLocalStorage } from "node:async_hooks"
import { StreamValue } from "../capabilities/index.ts"
import { createEvaluator, type Evaluator, type Form, loadDocumentation, readForms } from "../rtfs/index.ts"
import { handedTo } from "./AsyncIterableSink.ts"
import type { CapabilityDescription } from "./CapabilityDescription.ts"
import { type Completion, completionOf } from "./completion.ts"
import { EvaluationCancelled, HostUnavailable } from "./errors.ts"
import type { Handle } from "./Handle.ts"
import { Handoff } from "./Handoff.ts"
import type { EvaluationLimits } from "./HostOptions.ts"
import type { Pipeline } from "./Pipeline.ts"
import type { ProgramRun } from "./ProgramRun.ts"
import type { Session, SessionInput, SessionOptions, SessionResult } from "./Session.ts"

/** What a session needs of its host. */
export interface SessionSurroundings extends SessionOptions {
  readonly run: ProgramRun
  readonly globals: ReadonlyMap<string, unknown>
  readonly limits: EvaluationLimits
  readonly capabilities: () => ReadonlyArray<CapabilityDescription>
  readonly onClose: () => void
}

/** A `Session` on a run of its own. */
export class HostSession implements Session {
  readonly #surroundings: SessionSurroundings
  readonly #evaluator: Evaluator
  readonly #defined = new Set<string>()
  readonly #watched = new WeakSet<Pipeline>()
  #current: Evaluation | undefined

  constructor(surroundings: SessionSurroundings) {
    const { capabilities, globals, limits } = surroundings
    this.#surroundings = surroundings
    this.#evaluator = createEvaluator(
      { call: (id, args) => this.#call(id, args), globals, capabilityIds: capabilities().map(({ id }) => id) },
      limits
    )
    surroundings.run.lookUpIn((name) => this.#evaluator.global(name))
  }

  async eval(source: string, { file, maxItems = Infinity, onItem }: SessionInput = {}): Promise<SessionResult> {
    if (this.#current !== undefined) throw new HostUnavailable("An input is still being evaluated: wait until it is done, or cancel it.")
    const evaluation = new Evaluation()
    this.#current = evaluation
    try {
      const value = await evaluation.unlessCancelled(
        evaluating.run(evaluation, () => this.#evaluator.evaluate(source, file === undefined ? {} : { file }))
      )
      if (!(value instanceof StreamValue) || onItem === undefined) return { value }
      return { value, stream: await this.#consume(value, evaluation, onItem, maxItems) }
    } finally {
      this.#current = undefined
      this.#learn(source)
    }
  }

  async complete(text: string): Promise<Completion> {
    const { capabilities, globals } = this.#surroundings
    const described = capabilities()
    const documentation = await loadDocumentation()
    return completionOf(text, {
      names: [...documentation.filter(({ kind }) => kind !== "type").map(({ name }) => name), ...globals.keys(), ...this.#defined],
      capabilities: described.map(({ id }) => id),
      optionsOf: (id) => described.find((one) => one.id === id)?.options.map(({ name }) => name) ?? []
    })
  }

  get streams(): ReadonlyArray<Handle> {
    return this.#surroundings.run.streams.open
  }

  cancel(): boolean {
    this.#current?.cancel()
    return this.#current !== undefined
  }

  async cancelStreams(): Promise<void> {
    await Promise.all(this.streams.map((stream) => stream.cancel()))
  }

  async ended(): Promise<void> {
    const running = () => this.#surroundings.run.streams.open.filter((stream) => stream.isStarted)
    for (let streams = running(); streams.length > 0; streams = running()) {
      await Promise.all(streams.map((stream) => stream.result.catch(() => {})))
    }
  }

  async close(): Promise<void> {
    this.cancel()
    await this.#surroundings.run.cancel()
    this.#surroundings.onClose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #call(id: string, args: ReadonlyArray<unknown>): unknown {
    const evaluation = evaluating.getStore()
    if (evaluation === undefined) return this.#perform(id, args)
    evaluation.check()
    // Streams outlive the input that started them, so what they do is not done for it.
    const result = evaluating.run(undefined, () => this.#perform(id, args))
    return result instanceof Promise ? evaluation.unlessCancelled(result) : result
  }

  #perform(id: string, args: ReadonlyArray<unknown>): unknown {
    const result = this.#surroundings.run.call(id, args)
    for (const stream of this.#surroundings.run.streams.open) this.#watch(stream)
    return result
  }

  #watch(stream: Pipeline): void {
    if (this.#watched.has(stream)) return
    this.#watched.add(stream)
    stream.result.catch((error: unknown) => {
      if (!stream.isAwaited && stream.status === "failed") this.#surroundings.onStreamFailure?.(stream.id, error)
    })
  }

  async #consume(
    value: StreamValue,
    evaluation: Evaluation,
    onItem: (item: unknown) => unknown,
    maxItems: number
  ): Promise<NonNullable<SessionResult["stream"]>> {
    const handoff = new Handoff()
    const handle = this.#surroundings.run.start(handedTo(handoff, value), { cold: false })
    handle.awaitResult().then(
      () => handoff.end(),
      (error: unknown) => handoff.end({ error })
    )
    try {
      for (let items = 0; ; items++) {
        if (items >= maxItems) return { items, isCut: true }
        const next = await evaluation.unlessCancelled(handoff.take())
        if (next.done === true) return { items, isCut: false }
        await onItem(next.value)
      }
    } finally {
      handoff.end()
      await handle.cancel()
    }
  }

  /** Notes which symbols of an input are definitions now, also those that its macros made. */
  #learn(source: string): void {
    let forms: ReadonlyArray<Form>
    try {
      forms = readForms(source)
    } catch {
      return
    }
    for (const form of forms) {
      for (const name of symbolsOf(form)) if (this.#evaluator.global(name) !== undefined) this.#defined.add(name)
      if (form.kind === "list" && form.items[0]?.kind === "symbol" && form.items[0].name === "defmacro" && form.items[1]?.kind === "symbol") {
        this.#defined.add(form.items[1].name)
      }
    }
  }
}

/** Whose call it is: the evaluation from which it is made, none for what streams do. */
const evaluating = new AsyncLocalStorage<Evaluation | undefined>()

/** One input under evaluation. */
class Evaluation {
  readonly #waiting = new Set<(error: Error) => void>()
  #isCancelled = false

  check(): void {
    if (this.#isCancelled) throw new EvaluationCancelled()
  }

  cancel(): void {
    this.#isCancelled = true
    for (const reject of this.#waiting) reject(new EvaluationCancelled())
    this.#waiting.clear()
  }

  /** The promise, or a failure as soon as the evaluation is cancelled. `Promise.race` would hold on to every loser. */
  unlessCancelled<Value>(promise: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      promise.then(resolve, reject).finally(() => this.#waiting.delete(reject))
    })
  }
}

const symbolsOf = function*(form: Form): Iterable<string> {
  if (form.kind === "symbol") yield form.name
  else if (form.kind === "list" || form.kind === "vector" || form.kind === "brace") for (const item of form.items) yield* symbolsOf(item)
  else if (form.kind === "meta") yield* symbolsOf(form.form)
}
