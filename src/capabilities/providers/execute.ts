import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { decodeCall } from "../decodeCall.ts"
import { InvalidCall, shown } from "../errors.ts"
import { isKeyword, isPlainMap } from "../../serialization/index.ts"
import { anything, fn, optional, required } from "../Option.ts"
import { filter } from "../processing/filter.ts"
import { map as mapItems } from "../processing/map.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { StreamValue } from "../StreamValue.ts"
import { callWithMeter, whenSettled, wrapFunctions } from "../wrapFunction.ts"
import { readOptions } from "./options.ts"
import { ProvidedStream } from "./ProvidedStream.ts"
import { into } from "./transform.ts"

const call = "marketplace.stream.execute"

export const execute: ControlCapability = defineControl({
  id: call,
  summary: "Runs a pipeline that was described by `stream-pipeline`, and gives its handle.",
  spec: "beside §5; what `(stream-execute pipeline options)` stands for",
  arguments: ["options"],
  options: {
    pipeline: required(anything, "a description, or a stream"),
    "on-pipeline-start": optional(fn, "called without arguments before anything runs"),
    "on-pipeline-complete": optional(fn, "called once at the normal end, with the result"),
    "on-stage-error": optional(fn, "called with the number of the stage, from 0 on, and why its function failed; the pipeline then fails")
  },
  notes: [
    "The first stage is a stream, a handle or a collection. Each further one is a function, `(stream-transform :fn f)`, or `{:stage :filter :fn f}`; the last may be a sink, which stays open.",
    "The result of the handle is the vector of the items, where no sink gets them: as with `:stream.to-collection`."
  ],
  example: "(call :stream.await (stream-execute (stream-pipeline [[1 2 3] inc (stream-transform :fn inc)])))",
  perform: ([map], context) => {
    const options = readOptions(execute, map)
    const { sink, stream } = described(options.pipeline, options["on-stage-error"], context)
    const onComplete = options["on-pipeline-complete"] as StreamFunction | undefined
    const begin = () => {
      if (sink !== undefined) return into(stream, sink, false, context, onComplete === undefined ? {} : { "on-complete": onComplete })
      return context.collect(onComplete === undefined ? stream : stream.copy({ ...stream.options, "on-complete": onComplete }))
    }
    const onStart = options["on-pipeline-start"] as StreamFunction | undefined
    return onStart === undefined ? begin() : whenSettled(callWithMeter(onStart), begin)
  }
})

interface Described {
  readonly stream: StreamValue
  readonly sink: ProvidedStream | undefined
}

const described = (pipeline: unknown, onStageError: StreamFunction | undefined, context: CallContext): Described => {
  const stages = stagesOf(pipeline)
  const [first, ...rest] = stages
  let stream = context.asStream(first)
  if (stream === undefined)
    throw new InvalidCall(call, `needs a stream or a collection as the first stage, but got ${shown(first)}.`, "pipeline")
  const last = rest.at(-1)
  const sink = last instanceof ProvidedStream && last.inlet !== undefined ? last : undefined
  for (const [index, stage] of (sink === undefined ? rest : rest.slice(0, -1)).entries())
    stream = applied(stream, stage, index + 1, onStageError, context)
  return { stream, sink }
}

const stagesOf = (pipeline: unknown): ReadonlyArray<unknown> => {
  if (pipeline instanceof StreamValue) return [pipeline]
  const stages = isMap(pipeline) ? pipeline["stages"] : undefined
  if (Array.isArray(stages) && stages.length > 0) return stages
  throw new InvalidCall(call, `needs a pipeline such as (stream-pipeline [stream stage …]), but got ${shown(pipeline)}.`, "pipeline")
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && isPlainMap(value)

const applied = (
  stream: StreamValue,
  stage: unknown,
  index: number,
  onStageError: StreamFunction | undefined,
  context: CallContext
): StreamValue => {
  const kind = isMap(stage) ? stage["stage"] : undefined
  const name = isKeyword(kind) ? kind.name : kind
  const apply = isMap(stage) ? stage["fn"] : stage
  if (typeof apply !== "function" || (isMap(stage) && name !== "transform" && name !== "filter")) {
    throw new InvalidCall(
      call,
      `can't use stage ${index}, ${shown(stage)}: write a function, (stream-transform :fn f) or {:stage :filter :fn f}.`,
      "pipeline"
    )
  }
  const told = onStageError === undefined ? apply : telling(apply as StreamFunction, index, onStageError)
  return name === "filter"
    ? decodeCall(filter, [stream, { predicate: told }], context.asStream).value
    : decodeCall(mapItems, [stream, { transform: told }], context.asStream).value
}

const telling = (apply: StreamFunction, index: number, onStageError: StreamFunction): StreamFunction =>
  wrapFunctions(`stage-${index}`, [apply, onStageError], 1, (item: unknown) => {
    const fail = (error: unknown): unknown =>
      whenSettled(callWithMeter(onStageError, index, error instanceof Error ? error.message : error), () => {
        throw error
      })
    let result: unknown
    try {
      result = callWithMeter(apply, item)
    } catch (error) {
      return fail(error)
    }
    return result instanceof Promise ? result.catch(fail) : result
  })
