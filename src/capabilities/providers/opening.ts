import { type CallContext } from "../Capability.ts"
import { decodeCall } from "../decodeCall.ts"
import { HandleMisuse, InvalidCall, shown } from "../errors.ts"
import { map } from "../processing/map.ts"
import { StreamHandle } from "../StreamHandle.ts"
import { StreamValue } from "../StreamValue.ts"
import { ownFunction } from "../wrapFunction.ts"
import type { Validator } from "../schemas/index.ts"
import { intoOutlet, intoProvider, outOf } from "./directions.ts"
import { Inlet } from "./Inlet.ts"
import { Outlet } from "./Outlet.ts"
import type { Offer, ProviderType } from "./Provider.ts"
import { type Direction, ProvidedStream } from "./ProvidedStream.ts"

/** What became of items that do not satisfy a schema of a provider. */
export type OnSchemaError = "fail" | "skip" | "dead-letter"

export interface OutletSettings {
  readonly "buffer-size": number
  readonly "replay-items": number
  readonly "replay-bytes": number
  readonly "replay-ms": number
}

export const defaultOutlet: OutletSettings = {
  "buffer-size": 512,
  "replay-items": 1024,
  "replay-bytes": 4 * 1024 ** 2,
  "replay-ms": 300_000
}

/** A provider that may be opened in this way. **Fails** by throwing, and the refusal is on record. */
export const offerFor = (call: string, id: string, types: ReadonlyArray<ProviderType>, config: unknown, context: CallContext): Offer => {
  const { audit, check, providers } = context.marketplace
  const refuse = (outcome: "denied" | "failed", error: unknown, subject = id): never => {
    audit({ call, subject, outcome, detail: error instanceof Error ? error.message : String(error) })
    throw error
  }
  let offer: Offer
  try {
    offer = providers.resolve(id)
  } catch (error) {
    return refuse("failed", error)
  }
  if (!types.includes(offer.type)) {
    return refuse(
      "failed",
      new InvalidCall(call, `can't open ${offer.id}, which is a ${offer.type}: use :marketplace.stream.${openedBy[offer.type]}.`),
      offer.id
    )
  }
  try {
    check(offer.id, offer.effects)
  } catch (error) {
    return refuse("denied", error, offer.id)
  }
  const [problem] = offer.checkConfig?.(config) ?? []
  if (problem !== undefined)
    return refuse("failed", new InvalidCall(call, `can't open ${offer.id} with this :config: ${problem.message}.`, "config"), offer.id)
  return offer
}

const openedBy: Readonly<Record<ProviderType, string>> = {
  source: "start",
  sink: "open-sink",
  transform: "transform",
  bidirectional: "open-bidirectional",
  duplex: "open-bidirectional"
}

/** Notes that a stream was opened, and with its counts that it has ended. */
export const recordLife = (call: string, offer: Pick<Offer, "id" | "effects">, stream: ProvidedStream, context: CallContext): void => {
  const { audit } = context.marketplace
  const about = { call, subject: offer.id, effects: offer.effects, stream: stream.id }
  audit({ ...about, outcome: "allowed" })
  const ended = (detail: string) => audit({ ...about, outcome: "ended", detail: `${stream.status}, ${detail}` })
  const counts = () => `${stream.outlet?.last ?? 0} items out, ${stream.inlet?.written ?? 0} in`
  // On paper nothing ends, and the result is asked of the program.
  if (stream.status === "created") return
  stream.result.then(
    () => ended(counts()),
    (error: unknown) => ended(`${counts()}: ${error instanceof Error ? error.message : String(error)}`)
  )
}

/** The stream with only the items that satisfy a schema; of the others becomes what is said. */
export const checked = (stream: StreamValue, check: Validator | undefined, of: string, onFailure: OnSchemaError): StreamValue => {
  if (check === undefined) return stream
  const validate = ownFunction("validate", 1, (item: unknown) => {
    const [problem] = check(item)
    if (problem === undefined) return item
    throw Object.assign(new Error(`An item of ${of} does not satisfy its schema: ${problem.message}.`), {
      type: "schema-error",
      data: { path: problem.path }
    })
  })
  return decodeCall(map, [stream, { transform: validate, "on-failure": onFailure }], asItIs).value
}

const asItIs = (value: unknown) => (value instanceof StreamValue ? value : undefined)

/** The direction in which items come out. */
export const outward = (
  stream: StreamValue,
  settings: OutletSettings & { readonly repeats?: boolean | undefined },
  context: CallContext,
  onBackpressure: () => void
): Direction => {
  const outlet = new Outlet({
    buffer: settings["buffer-size"],
    items: settings["replay-items"],
    bytes: settings["replay-bytes"],
    milliseconds: settings["replay-ms"],
    now: context.now,
    repeats: settings.repeats,
    onBackpressure
  })
  return { outlet, stream: context.start(intoOutlet(stream, outlet)) }
}

/** The direction in which items go in. */
export const inward = (provider: string, capacity: number, open: () => unknown, context: CallContext): Direction => {
  const inlet = new Inlet(capacity)
  return { inlet, stream: context.start(intoProvider(provider, inlet, open)) }
}

let ordinal = 0

/** A handle of what was opened. */
export const provided = (offer: Pick<Offer, "id" | "checkInput">, directions: ReadonlyArray<Direction>): ProvidedStream =>
  new ProvidedStream({
    offer,
    directions,
    // Each consumption is a consumer of its own, that has left for good once it ends.
    asStream: (handle) => {
      const outlet = handle.outlet!
      const name = `stream-${++ordinal}`
      handle
        .streamOf("outlet")
        .awaitResult()
        .catch(() => {})
      return outOf(outlet, {
        join: () => outlet.group(name, "stream"),
        leave: (group) => outlet.forget(group),
        isNumbered: false,
        acknowledges: true,
        isOver: () => false
      })
    }
  })

/** A stream of a value that is none of a provider, as a handle of which items can be taken. */
export const opened = (stream: StreamValue, settings: OutletSettings, context: CallContext): ProvidedStream => {
  const handle: ProvidedStream = provided({ id: stream.capability.id, checkInput: undefined }, [
    outward(stream, settings, context, () => handle.tell("backpressure"))
  ])
  return handle
}

/** The handle that a call was given: of a provider's stream, or made of any other stream, which it consumes then. */
export const givenStream = (call: string, value: unknown, context: CallContext): ProvidedStream => {
  if (value instanceof ProvidedStream) return value
  if (value instanceof StreamValue || value instanceof StreamHandle) {
    return context.marketplace.open.wrapped(value, () => {
      const stream = context.asStream(value)
      if (stream === undefined) throw new InvalidCall(call, `can't take items of ${value.label}.`, "handle")
      return opened(stream, defaultOutlet, context)
    })
  }
  throw new InvalidCall(call, `needs a stream as :handle, but got ${shown(value)}.`, "handle")
}

/** **Fails** by throwing `HandleMisuse` where nothing comes out of it. */
export const outletOf = (call: string, handle: ProvidedStream): Outlet => {
  if (handle.outlet !== undefined) return handle.outlet
  throw new HandleMisuse(`:${call} takes items, but ${handle.label} only takes them in: send to it with :marketplace.stream.send.`)
}

/** **Fails** by throwing `HandleMisuse` where nothing goes into it. */
export const inletOf = (call: string, value: unknown): { readonly handle: ProvidedStream; readonly inlet: Inlet } => {
  if (value instanceof ProvidedStream && value.inlet !== undefined) return { handle: value, inlet: value.inlet }
  if (value instanceof StreamHandle || value instanceof StreamValue) {
    throw new HandleMisuse(
      `:${call} needs something to send to, but ${value.label} only gives items: open a sink with :marketplace.stream.open-sink.`
    )
  }
  throw new InvalidCall(call, `needs the handle of a sink, but got ${shown(value)}.`, "handle")
}

/** Where a program is only explained, nothing has started: to ask for more would be to wait for ever. */
export const onPaper = (stream: StreamHandle): Promise<unknown> | undefined =>
  stream.status === "created" ? stream.awaitResult() : undefined
