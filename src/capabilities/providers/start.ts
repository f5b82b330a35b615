import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { InvalidCall, shown } from "../errors.ts"
import { compileSchema } from "../schemas/index.ts"
import { anything, choice, defaulted, flag, optional, required, text } from "../Option.ts"
import { problemOfSchema, schema } from "../types/schemaOption.ts"
import { whenSettled } from "../wrapFunction.ts"
import type { StreamValue } from "../StreamValue.ts"
import { providerSource } from "./directions.ts"
import { checked, offerFor, type OnSchemaError, outward, type OutletSettings, provided, recordLife } from "./opening.ts"
import { id, outletOptions, readOptions } from "./options.ts"
import type { Offer } from "./Provider.ts"
import type { ProvidedStream } from "./ProvidedStream.ts"

const call = "marketplace.stream.start"

export const start: ControlCapability = defineControl({
  id: call,
  summary: "Starts a stream of a source that was registered, under the supervisor of the program, and gives its handle.",
  spec: "beside §5; what `(stream-source id options)` stands for",
  arguments: ["options"],
  options: {
    id: required(id, "the provider; without its version the newest one"),
    config: optional(anything, "what the provider is opened with"),
    schema: optional(schema, "what items must satisfy, beside the provider's own schema"),
    "strict-validation": defaulted(
      flag,
      true,
      "fails the stream at the first item that does not satisfy a schema; otherwise such items are left out and counted as skipped"
    ),
    "on-schema-error": optional(choice("fail", "skip", "dead-letter"), "the same, in the words of `:on-failure`"),
    key: optional(
      text,
      "a name of the client's choice: who starts the same provider with the same config and key again gets the same handle, in any program of the host"
    ),
    ...outletOptions
  },
  notes: [
    "The stream begins at once and waits when its buffer is full, until it gets a consumer: `:marketplace.stream.next`, `:marketplace.stream.register-callbacks`, or any call that takes a stream. It belongs to the program that started it, and ends with it.",
    "Items have numbers from 1 on. The newest are kept, within `:replay-items`, `:replay-bytes` and `:replay-ms`, for consumers that leave and come back with the number where they were.",
    "While a consumer is there, nothing that it has not acknowledged is forgotten. When all have left, the stream goes on without them: leaving is not cancelling. `:stream.cancel` is final.",
    "In a pipeline with checkpoints it goes on in another process with what its provider gives from then on. A provider that `:repeats` is read from the first item again, and what the last checkpoint covers is left out.",
    "A stream under a `:key` that has completed answers until its items are too old (`:replay-ms`); one that was cancelled or has failed is started anew."
  ],
  example:
    '(do (register-stream-capability :capability-id "com.example:v1.0:numbers" :type :stream-source :open (fn [config] [1 2 3])) (call :stream.await (call :stream.to-collection {:source (call :marketplace.stream.start {:id "com.example:numbers"})})))',
  perform: ([map], context) => {
    const options = readOptions(start, map) as OutletSettings & Record<string, unknown>
    const config = options["config"] ?? {}
    const offer = offerFor(call, options["id"] as string, ["source"], config, context)
    const key = options["key"] as string | undefined
    const known = key === undefined ? undefined : context.marketplace.open.find(key, { provider: offer.id, config, now: context.now() })
    if (known !== undefined) return known
    const begin = (stream: unknown) => {
      const handle = begun(stream as StreamValue, offer, options, context)
      if (key !== undefined && handle.status !== "created") {
        context.marketplace.open.add(key, { stream: handle, provider: offer.id, config, keepMs: options["replay-ms"], now: context.now })
      }
      return handle
    }
    return whenSettled(streamOf(offer, config, context), begin)
  }
})

const begun = (
  stream: StreamValue,
  offer: Offer,
  options: OutletSettings & Record<string, unknown>,
  context: CallContext
): ProvidedStream => {
  const onSchemaError =
    (options["on-schema-error"] as OnSchemaError | undefined) ?? (options["strict-validation"] === true ? "fail" : "skip")
  const problem = options["schema"] === undefined ? undefined : problemOfSchema("schema", options["schema"])
  if (problem !== undefined) throw new InvalidCall(call, problem, "schema")
  const own = options["schema"] === undefined ? undefined : compileSchema(options["schema"])
  const valid = checked(checked(stream, offer.checkOutput, offer.id, onSchemaError), own, offer.id, onSchemaError)
  const handle: ProvidedStream = provided(offer, [
    outward(valid, { ...options, repeats: offer.repeats }, context, () => handle.tell("backpressure"))
  ])
  recordLife(call, offer, handle, context)
  return handle
}

/** The items of a source. One of the host is opened by its actor; one of the program gives its stream now, which can be planned. */
export const streamOf = (offer: Offer, config: unknown, context: CallContext): StreamValue | PromiseLike<StreamValue> => {
  if (offer.isOfProgram !== true) return providerSource(offer.id, () => offer.open(config))
  return whenSettled(offer.open(config), (value) => {
    const stream = context.asStream(value)
    if (stream !== undefined) return stream
    throw new InvalidCall(call, `expects :open of ${offer.id} to give a stream or a collection, but it gave ${shown(value)}.`)
  })
}
