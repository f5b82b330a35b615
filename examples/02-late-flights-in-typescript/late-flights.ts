// The first example again, built in TypeScript: the same graph, planned and run in the same way.
//
// Run it with `npm run build && node examples/02-late-flights-in-typescript/late-flights.ts`.
//
//   distance  flights  mean  worst
//          0    90828   7.5    817
//        500    61578   7.8   1260
//       1000    25801   8.2    697
//       1500    12734   6.1   1444
//       2000     6567   5.0    435
//       2500     2181   5.0    955
//       3000       22  17.6    195
//       3500      145   4.9    376
//       4000       99  -0.3    174
//       4500       45  10.6    190
//   10498 flights were late by more than an hour

import { Flow, StreamHost } from "rtfs-streams"

interface Flight {
  readonly delay: number
  readonly distance: number
}

interface Band {
  readonly flights: number
  readonly total: number
  readonly worst: number
}

const isFlight = (record: unknown): record is Flight => {
  const { delay, distance } = record as Partial<Flight>
  return typeof delay === "number" && typeof distance === "number" && distance >= 0
}

const flights = Flow.fromFile("node_modules/vega-datasets/data/flights-200k.json")
  .json()
  .filter(isFlight)
  .map((flight) => ({ ...flight, band: 500 * Math.floor(flight.distance / 500) }))

await using host = await StreamHost.start({
  policy: { read: ["node_modules/vega-datasets/data"], write: ["out"] }
})

const saving = host.runFlow(
  flights.filter((flight) => flight.delay > 60).toFile("out/late-flights-from-typescript.ndjson", { format: "ndjson" })
)

const bands = flights.reduce<ReadonlyMap<number, Band>>(new Map(), (before, { band, delay }) => {
  const { flights, total, worst } = before.get(band) ?? { flights: 0, total: 0, worst: delay }
  return new Map(before).set(band, { flights: flights + 1, total: total + delay, worst: Math.max(worst, delay) })
})

console.log("distance  flights  mean  worst")
for await (const result of host.stream(bands)) {
  for (const [band, { flights, total, worst }] of [...result].sort(([left], [right]) => left - right)) {
    console.log(`${band}`.padStart(8), `${flights}`.padStart(8), (total / flights).toFixed(1).padStart(5), `${worst}`.padStart(6))
  }
}

const { value } = await saving
console.log((value as { items: number }).items, "flights were late by more than an hour")
