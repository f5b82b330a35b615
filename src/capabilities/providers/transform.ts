import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { forEach } from "../composition/for-each.ts"
import { decodeCall } from "../decodeCall.ts"
import { InvalidCall, InvalidResult, shown } from "../errors.ts"
import { functionOfKeyword } from "../functionOfKeyword.ts"
import { isKeyword } from "../../serialization/index.ts"
import { anyMap, anything, choice, defaulted, flag, fn, optional, required } from "../Option.ts"
import { map as mapItems } from "../processing/map.ts"
import { compileSchema } from "../schemas/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import type { StreamValue } from "../StreamValue.ts"
import { problemOfSchema, schema } from "../types/schemaOption.ts"
import { callWithMeter, whenSettled, wrapFunctions } from "../wrapFunction.ts"
import { checked, offerFor } from "./opening.ts"
import { readOptions } from "./options.ts"
import { ProvidedStream } from "./ProvidedStream.ts"
import { sendingTo } from "./sending.ts"

const call = "marketplace.stream.transform"

export const transform: ControlCapability = defineControl({
  id: call,
  summary: "Makes an item of each item of a stream, by a function or by a transform that was registered, and sends it into another stream.",
  spec: "beside §5; what `(stream-transform …)` stands for",
  arguments: ["options"],
  options: {
    "input-stream": required(anything, "the stream"),
    "output-stream": optional(anything, "the sink that gets the results; without it the call gives a stream of them"),
    "transform-fn": required(anything, "a function of an item, or the id of a transform as a string"),
    "input-schema": optional(schema, "what items must satisfy"),
    "output-schema": optional(schema, "what results must satisfy"),
    "type-constraints": optional(anyMap, "the same two, as `{:input schema :output schema}`"),
    "on-schema-error": defaulted(
      choice("fail", "skip", "dead-letter"),
      "fail",
      "what becomes of an item or result that does not satisfy its schema"
    ),
    "on-failure": defaulted(choice("fail", "skip", "dead-letter"), "fail", "what becomes of an item that the function fails on"),
    "close-output": defaulted(flag, false, "whether the sink is closed when the input has ended"),
    "on-transform-success": optional(fn, "called with each item and its result"),
    "on-transform-error": optional(
      fn,
      "called with each item that the function fails on, and why; the item is then dealt with as `:on-failure` says"
    ),
    config: optional(anyMap, "what a registered transform is opened with; the callbacks may stand in it, too")
  },
  notes: ["With an `:output-stream` it starts at once and gives a handle, which ends with the input."],
  example: "(call :stream.await (call :marketplace.stream.transform {:input-stream [1 2 3] :transform-fn inc}))",
  perform: ([given], context) => {
    const options = merged(readOptions(transform, given))
    const input = context.asStream(options["input-stream"])
    if (input === undefined)
      throw new InvalidCall(
        call,
        `expects :input-stream to be a stream or a collection, but got ${shown(options["input-stream"])}.`,
        "input-stream"
      )
    const { "on-schema-error": onSchemaError, "output-stream": output } = options
    const before = checked(input, validator(options, "input"), "the input", onSchemaError)
    const step = wrapFunctions("transform-fn", [() => null], 1, telling(functionOf(options, context), options))
    const made = decodeCall(mapItems, [before, { transform: step, "on-failure": options["on-failure"] }], context.asStream).value
    const after = checked(made, validator(options, "output"), "the results", onSchemaError)
    return output === undefined ? after : into(after, output, options["close-output"], context)
  }
})

/** Starts a stream whose items are sent into a sink. */
export const into = (
  stream: StreamValue,
  sink: unknown,
  closes: boolean,
  context: CallContext,
  observers: Readonly<Record<string, unknown>> = {}
) => {
  const handle = context.start(
    decodeCall(forEach, [stream, { callback: sendingTo(call, sink, context), as: "output-stream", ...observers }], context.asStream).value
  )
  if (closes && sink instanceof ProvidedStream) {
    const close = () => sink.inlet?.close()
    handle.result.then(close, close)
  }
  return handle
}

/** The callbacks may stand in the config. */
const merged = (options: Readonly<Record<string, any>>): Readonly<Record<string, any>> => {
  const {
    "on-transform-error": onError,
    "on-transform-success": onSuccess,
    ...config
  } = (options["config"] ?? {}) as Record<string, unknown>
  return {
    ...options,
    config,
    "on-transform-error": options["on-transform-error"] ?? onError ?? undefined,
    "on-transform-success": options["on-transform-success"] ?? onSuccess ?? undefined
  }
}

const validator = (options: Readonly<Record<string, any>>, side: "input" | "output") => {
  const written = options[`${side}-schema`] ?? options["type-constraints"]?.[side]
  if (written === undefined || written === null) return undefined
  const problem = problemOfSchema(`${side}-schema`, written)
  if (problem !== undefined) throw new InvalidCall(call, problem, `${side}-schema`)
  return compileSchema(written)
}

const functionOf = (options: Readonly<Record<string, any>>, context: CallContext): StreamFunction => {
  const given: unknown = options["transform-fn"]
  if (typeof given === "function") return given as StreamFunction
  if (isKeyword(given)) return functionOfKeyword(given)
  if (typeof given !== "string")
    throw new InvalidCall(call, `expects :transform-fn to be a function or an id, but got ${shown(given)}.`, "transform-fn")
  const config = options["config"]
  const offer = offerFor(call, given, ["transform"], config, context)
  context.marketplace.audit({ call, subject: offer.id, effects: offer.effects, outcome: "allowed" })
  let opened: unknown
  const valid = (value: unknown, side: "input" | "output"): unknown => {
    const [problem] = (side === "input" ? offer.checkInput : offer.checkOutput)?.(value) ?? []
    if (problem === undefined) return value
    throw Object.assign(new Error(`An item does not satisfy the ${side} schema of ${offer.id}: ${problem.message}.`), {
      type: "schema-error",
      data: { path: problem.path }
    })
  }
  return (item: unknown) => {
    valid(item, "input")
    opened ??= opening(offer.open(config), () => (opened = undefined))
    return whenSettled(opened, (made) => {
      if (typeof made !== "function") throw new InvalidResult(call, `open of ${offer.id}`, "a function of an item", made)
      return whenSettled((made as StreamFunction)(item), (result) => valid(result, "output"))
    })
  }
}

/** What was opened for good; what fails is opened anew for the next item. */
const opening = (made: unknown, forget: () => void): unknown => {
  if (made instanceof Promise) made.catch(forget)
  return made
}

/** Calls the function, and tells what came of it. */
const telling =
  (
    apply: StreamFunction,
    { "on-transform-error": onError, "on-transform-success": onSuccess }: Readonly<Record<string, StreamFunction | undefined>>
  ) =>
  (item: unknown): unknown => {
    const succeed = (result: unknown): unknown =>
      onSuccess === undefined ? result : whenSettled(callWithMeter(onSuccess, item, result), () => result)
    const fail = (error: unknown): unknown => {
      if (onError === undefined) throw error
      return whenSettled(callWithMeter(onError, item, error instanceof Error ? error.message : error), () => {
        throw error
      })
    }
    let result: unknown
    try {
      result = callWithMeter(apply, item)
    } catch (error) {
      return fail(error)
    }
    return result instanceof Promise ? result.then(succeed, fail) : succeed(result)
  }
