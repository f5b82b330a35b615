import { type ControlCapability, defineControl } from "../Capability.ts"
import { approximateBytes } from "../aggregation/approximateBytes.ts"
import { InvalidCall, shown } from "../errors.ts"
import { isKeyword } from "../../serialization/index.ts"
import { anything, choice, defaulted, optional, required, share } from "../Option.ts"
import { StreamHandle } from "../StreamHandle.ts"
import { onPaper } from "./opening.ts"
import { readOptions } from "./options.ts"
import type { Outlet } from "./Outlet.ts"
import { ProvidedStream } from "./ProvidedStream.ts"

const metricNames = ["counts", "throughput", "buffer", "item-size"]

/** Where the last look at a stream was, from which the next one tells the rate. */
const looks = new WeakMap<StreamHandle, { readonly at: number; readonly accepted: number }>()

const mostBytes = 2 ** 30

export const profile: ControlCapability = defineControl({
  id: "marketplace.stream.profile",
  summary: "Measures a stream that runs: counts, throughput, what is buffered, and how large its items are.",
  spec: "beside §5; what `(stream-profile handle options)` stands for",
  arguments: ["options"],
  options: {
    handle: required(anything, "the stream"),
    metrics: optional(anything, "a vector of `:counts`, `:throughput`, `:buffer` and `:item-size`; by default all that the stream has"),
    "sampling-rate": defaulted(share, 1, "the share of the kept items whose size is looked at"),
    "output-format": defaulted(choice("map", "json"), "map", "a map, or the same as JSON text")
  },
  notes: [
    "`:throughput` is items per second since the look before, and `nil` at the first. `:buffer` and `:item-size` (about how many bytes: `:mean`, `:most`, and of how many items) are there for streams of which items can be taken one by one. Reports at intervals come from `:stream.with-metrics`."
  ],
  example: "(:counts (call :marketplace.stream.profile {:handle (call :stream.for-each [1 2] {:callback (fn [x] x)})}))",
  perform: ([map], context) => {
    const options = readOptions(profile, map)
    const handle: unknown = options.handle
    if (!(handle instanceof StreamHandle)) throw new InvalidCall(profile.id, `needs a handle, but got ${shown(handle)}.`, "handle")
    const outlet = handle instanceof ProvidedStream ? handle.outlet : undefined
    const paper = outlet === undefined ? undefined : onPaper(handle)
    if (paper !== undefined) return paper
    const wanted = metricsOf(options.metrics)
    const { accepted, deadLettered, dropped, processed, skipped } = handle.report()
    const now = context.now()
    const before = looks.get(handle)
    looks.set(handle, { at: now, accepted })
    const elapsed = before === undefined ? 0 : now - before.at
    const all: Readonly<Record<string, unknown>> = {
      counts: { accepted, processed, skipped, dropped, "dead-lettered": deadLettered },
      throughput: before === undefined || elapsed <= 0 ? null : ((accepted - before.accepted) * 1000) / elapsed,
      ...(outlet === undefined
        ? {}
        : {
            buffer: { kept: outlet.size, waiting: outlet.waiting, missed: outlet.missed },
            "item-size": sizes(outlet, options["sampling-rate"])
          })
    }
    const chosen = Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)))
    return options["output-format"] === "json" ? JSON.stringify(chosen) : chosen
  }
})

const metricsOf = (metrics: unknown): ReadonlyArray<string> => {
  if (metrics === undefined || metrics === null) return metricNames
  if (!Array.isArray(metrics)) throw new InvalidCall(profile.id, `expects :metrics to be a vector, but got ${shown(metrics)}.`, "metrics")
  return metrics.map((metric: unknown) => {
    const name = isKeyword(metric) ? metric.name : String(metric)
    if (metricNames.includes(name)) return name
    throw new InvalidCall(
      profile.id,
      `knows no metric :${name}: there are ${metricNames.map((known) => `:${known}`).join(" ")}.`,
      "metrics"
    )
  })
}

const sizes = (outlet: Outlet, rate: number): unknown => {
  if (rate === 0 || outlet.size === 0) return { mean: null, most: null, items: 0 }
  const step = 1 / rate
  let items = 0
  let sum = 0
  let most = 0
  for (let at = 0; at < outlet.size; at += step) {
    const bytes = approximateBytes(outlet.kept(outlet.first + Math.floor(at)), mostBytes)
    items++
    sum += bytes
    most = Math.max(most, bytes)
  }
  return { mean: sum / items, most, items }
}
