import * as Effect from "effect/Effect"
import type { FileAccess, NetworkAccess } from "../actors/index.ts"
import { buildGraph, type CallContext, type Marketplace, StreamHandle, StreamValue } from "../capabilities/index.ts"
import { createEvaluator, isPureBuilder, RtfsError, toText } from "../rtfs/index.ts"
import { makePlan } from "../scheduler/index.ts"
import { explainPipeline, unboundedIn } from "./explainPipeline.ts"
import { checkPermission, targetOf } from "./checkPermission.ts"
import type { ExplainedEffect, ExplainedPipeline, Explanation, UnboundedNode } from "./Explanation.ts"
import type { EvaluationLimits } from "./HostOptions.ts"
import { Policy } from "./Policy.ts"
import { Program, toStream } from "./Program.ts"
import { requiredPermissions } from "./requiredPermissions.ts"

export interface ExplainOptions {
  readonly file: string | undefined
  readonly marketplace: Marketplace
  readonly market: CallContext["marketplace"]
  readonly policy: Policy
  readonly globals: ReadonlyMap<string, unknown>
  readonly limits: EvaluationLimits
  readonly mailboxBytes: number
  readonly files: FileAccess
  readonly network: NetworkAccess
}

/**
 * Evaluates a program on paper: streams are planned instead of started, lines are not printed, functions of the host are
 * not called. Where the program needs a result that only a real run has, the explanation ends and says so.
 */
export const explainProgram = async (source: string, options: ExplainOptions): Promise<Explanation> => {
  const pipelines: Array<ExplainedPipeline> = []
  const unbounded: Array<UnboundedNode> = []
  const plan = (value: StreamValue, { cold }: { readonly cold: boolean }) => {
    if (cold) return new PaperHandle("a stream that was only created", value)
    const id = `program-${pipelines.length + 1}`
    const built = buildGraph(value)
    unbounded.push(...unboundedIn(id, built))
    pipelines.push(explainPipeline(id, built, makePlan(id, built.graph, built.traitsOf, { mailboxBytes: options.mailboxBytes })))
    return new PaperHandle(id, value)
  }
  const program = new Program({
    marketplace: options.marketplace,
    market: { ...options.market, check: () => {}, audit: () => {} },
    policy: new Policy({ all: true }),
    starter: { start: plan },
    print: () => {},
    show: (value) => toText(value),
    now: () => 0,
    log: () => {},
    sleep: async () => {},
    files: options.files,
    network: options.network,
    perform: (effect) => Effect.runPromise(effect),
    resume: () => Promise.reject(new NeedsRun("The program resumes a stream from a checkpoint")),
    mcp: () => {
      throw new NeedsRun("The program uses an MCP stream")
    },
    asStream: (value) => (value instanceof PaperHandle ? value.value : toStream(value))
  })
  const globals = new Map([...options.globals].map(([name, value]) => [name, onPaper(name, value)]))
  const evaluator = createEvaluator(
    { call: (id, args) => program.call(id, args), globals, capabilityIds: options.marketplace.ids() },
    options.limits
  )
  let stoppedAt: string | undefined
  try {
    const value = await evaluator.evaluate(source, options.file === undefined ? {} : { file: options.file })
    if (value instanceof StreamValue) plan(value, { cold: false })
  } catch (error) {
    const needed = neededResult(error)
    if (needed === undefined) throw error
    stoppedAt = needed
  }
  return {
    pipelines,
    effects: await effectsOf(source, options),
    ...(stoppedAt === undefined ? {} : { stoppedAt }),
    mailboxBytes: pipelines.reduce((sum, { mailboxBytes }) => sum + mailboxBytes, 0),
    stateBytes: pipelines.reduce((sum, { stateBytes }) => sum + stateBytes, 0),
    unbounded
  }
}

/** Something that only a real run can give. */
class NeedsRun extends Error {
  readonly _tag = "NeedsRun"
}

const neededResult = (error: unknown): string | undefined => {
  const cause = error instanceof RtfsError ? error.cause : error
  if (!(cause instanceof NeedsRun)) return undefined
  const at = error instanceof RtfsError && error.at !== undefined ? ` (line ${error.at.line})` : ""
  return `${cause.message}${at}`
}

/** A function of the host is an effect, so it is not called on paper. */
const onPaper = (name: string, value: unknown): unknown =>
  typeof value === "function" && !isPureBuilder(value)
    ? () => {
        throw new NeedsRun(`The program calls ${name}, a function of the host`)
      }
    : value

class PaperHandle extends StreamHandle {
  readonly id: string
  readonly status = "created"
  readonly value: StreamValue

  constructor(id: string, value: StreamValue) {
    super()
    this.id = id
    this.value = value
  }

  get result(): Promise<unknown> {
    return this.awaitResult()
  }

  awaitResult(): Promise<unknown> {
    return Promise.reject(new NeedsRun(`The program waits for the result of ${this.id}`))
  }

  async pause(): Promise<void> {}
  async resume(): Promise<void> {}
  async drain(): Promise<void> {}
  async cancel(): Promise<void> {}

  report(): never {
    return this.inspect()
  }

  inspect(): never {
    throw new NeedsRun(`The program asks for the status of ${this.id}`)
  }
}

const effectsOf = (source: string, { marketplace, ...accesses }: ExplainOptions): Promise<ReadonlyArray<ExplainedEffect>> =>
  Promise.all(
    requiredPermissions(source, marketplace).map(async ({ capability, effect, touch }) => {
      const target = targetOf(touch)
      const granted = await Effect.runPromise(Effect.isSuccess(checkPermission({ capability, effect, touch }, accesses)))
      return { capability, effect, ...(target === undefined ? {} : { target }), granted }
    })
  )
