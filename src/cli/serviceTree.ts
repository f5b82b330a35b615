import type { ActorStatus, ServiceStatus, StreamStatus } from "../service/index.ts"
import { alignedRows } from "./alignedRows.ts"
import { formatCount, formatDuration, formatSize } from "./quantity.ts"

/** Items a second by the address of an actor or the id of a stream; empty where nothing was measured yet. */
export type Rates = ReadonlyMap<string, number>

/** The rates between two looks at a service. What has begun anew in between counts from zero. */
export const ratesBetween = (before: ServiceStatus, now: ServiceStatus): Rates => {
  const seconds = (now.uptimeMs - before.uptimeMs) / 1000
  const rates = new Map<string, number>()
  if (seconds <= 0 || before.pid !== now.pid) return rates
  const counted = countsOf(before)
  for (const [key, count] of countsOf(now)) {
    const earlier = counted.get(key)
    if (earlier !== undefined) rates.set(key, Math.max(0, count < earlier ? count : count - earlier) / seconds)
  }
  return rates
}

const countsOf = ({ streams }: ServiceStatus): ReadonlyMap<string, number> =>
  new Map(
    streams.flatMap((stream) => [
      [stream.id, stream.processed] as const,
      ...stream.actors.map((actor) => [actor.address, actor.itemsIn] as const)
    ])
  )

/**
 * The services, their streams and the actors of these as an aligned table.
 *
 * Programs choose the names in it, so what a terminal would take for a command is shown as `?`.
 */
export const serviceTree = (status: ServiceStatus, rates: Rates = new Map()): ReadonlyArray<string> => {
  const header = ["NAME", "STATE", "ITEMS", "RATE", "QUEUE", "BYTES", "BUSY", "BLOCKED", "RESTARTS"]
  const left = new Set(status.streams)
  const rows = status.services.flatMap((service) => {
    const own = status.streams.filter(({ id }) => service.streams.includes(id))
    for (const stream of own) left.delete(stream)
    return [
      [service.name, service.status, "", "", "", "", "", "", String(service.restarts)],
      ...own.flatMap((stream) => streamRows(stream, rates, "  ")),
      ...(service.error === undefined ? [] : [[`  ! ${service.error}`, "", "", "", "", "", "", "", ""]])
    ]
  })
  const others = [...left].flatMap((stream) => streamRows(stream, rates, ""))
  // A long message must not widen the first column for all.
  const lines = alignedRows([header, ...[...rows, ...others].map((row) => (isMessage(row) ? ["", ...row.slice(1)] : row))], "")
  const all = [header, ...rows, ...others]
  const shown = lines.map((line, at) => plain(isMessage(all[at]!) ? all[at]![0]! : line))
  return status.omitted === 0 ? shown : [...shown, `… and ${plural(status.omitted, "stream")} more`]
}

export const serviceSummary = ({ pid, services, state, streams, uptimeMs }: ServiceStatus): string =>
  `${state}, process ${pid}, up ${formatDuration(uptimeMs)}: ${plural(services.length, "service")}, ${plural(streams.filter(({ status }) => status === "running").length, "stream")} running`

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

const isMessage = (row: ReadonlyArray<string>): boolean => row[0]!.trimStart().startsWith("! ")

const streamRows = (stream: StreamStatus, rates: Rates, indent: string): ReadonlyArray<ReadonlyArray<string>> => [
  [`${indent}${stream.id}`, stream.status, formatCount(stream.processed), rateOf(rates, stream.id), lossesOf(stream), "", "", "", ""],
  ...(stream.error === undefined ? [] : [[`${indent}  ! ${stream.error}`, "", "", "", "", "", "", "", ""]]),
  ...stream.actors.map((actor) => actorRow(actor, rates, `${indent}  `))
]

const actorRow = (
  { address, itemsIn, mailbox, mode, restarts, timeShares, waitsFor }: ActorStatus,
  rates: Rates,
  indent: string
): ReadonlyArray<string> => [
  `${indent}${address.slice(address.lastIndexOf("/") + 1)}`,
  waitsFor === undefined ? mode : `${mode} (waits)`,
  formatCount(itemsIn),
  rateOf(rates, address),
  mailbox === undefined ? "-" : formatCount(mailbox.items),
  mailbox === undefined ? "-" : formatSize(mailbox.bytes + mailbox.spilledBytes),
  share(timeShares.busy),
  share(timeShares.blocked),
  String(restarts)
]

/** What a stream did not work off, where there is any. */
const lossesOf = ({ deadLettered, dropped, undrained }: StreamStatus): string =>
  [
    undrained > 0 ? formatCount(undrained) : "",
    dropped > 0 ? `${formatCount(dropped)} dropped` : "",
    deadLettered > 0 ? `${formatCount(deadLettered)} dead` : ""
  ]
    .filter((part) => part !== "")
    .join(", ")

const rateOf = (rates: Rates, key: string): string => {
  const rate = rates.get(key)
  return rate === undefined ? "" : `${formatCount(Math.round(rate * 10) / 10)}/s`
}

const share = (part: number): string => `${Math.round(part * 100)}%`

// oxlint-disable-next-line no-control-regex
const plain = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "?")
