import type { HandleStatus, StreamHost } from "../host/index.ts"
import type { ProgramStatus, ServicePrograms } from "./ServicePrograms.ts"

/** What `GET /status` answers. No item is in it: what programs work on stays with them. */
export interface ServiceStatus {
  readonly pid: number
  readonly uptimeMs: number
  readonly state: "starting" | "running" | "stopping"
  readonly services: ReadonlyArray<ProgramStatus>
  readonly streams: ReadonlyArray<StreamStatus>
  /** Streams that are left out of `streams`, because there are too many. */
  readonly omitted: number
}

export interface StreamStatus {
  readonly id: string
  readonly status: HandleStatus
  readonly error?: string
  readonly accepted: number
  readonly processed: number
  readonly skipped: number
  readonly retried: number
  readonly dropped: number
  readonly deadLettered: number
  readonly undrained: number
  readonly actors: ReadonlyArray<ActorStatus>
}

export interface ActorStatus {
  readonly address: string
  readonly kind: "source" | "processor" | "sink"
  readonly mode: string
  readonly itemsIn: number
  readonly itemsOut: number
  readonly restarts: number
  readonly timeShares: { readonly busy: number; readonly blocked: number; readonly idle: number }
  readonly underWay: number
  readonly mailbox?: {
    readonly frames: number
    readonly items: number
    readonly bytes: number
    readonly spilledBytes: number
    readonly oldestAgeMs: number
  }
  readonly waitsFor?: string
}

/** How many streams one answer lists; a service may start one for each item. */
const mostStreams = 500

const isLive = ({ status }: StreamStatus): boolean => ["created", "running", "paused", "draining"].includes(status)

/** The streams of a host, those first that go on. */
export const streamsOf = (host: StreamHost): Pick<ServiceStatus, "streams" | "omitted"> => {
  const { streams } = host.inspect() as { readonly streams: ReadonlyArray<StreamStatus> }
  const sorted = [...streams.filter(isLive), ...streams.filter((stream) => !isLive(stream)).toReversed()]
  return { streams: sorted.slice(0, mostStreams).map(withoutItems), omitted: Math.max(0, sorted.length - mostStreams) }
}

/** By name, so that nothing comes out which a later version of `inspect` adds. */
export const withoutItems = (stream: StreamStatus): StreamStatus => {
  const { accepted, actors, deadLettered, dropped, error, id, processed, retried, skipped, status, undrained } = stream
  return {
    id,
    status,
    ...(error === undefined ? {} : { error }),
    accepted,
    processed,
    skipped,
    retried,
    dropped,
    deadLettered,
    undrained,
    actors: actors.map(actorStatus)
  }
}

const actorStatus = ({
  address,
  itemsIn,
  itemsOut,
  kind,
  mailbox,
  mode,
  restarts,
  timeShares,
  underWay,
  waitsFor
}: ActorStatus): ActorStatus => ({
  address,
  kind,
  mode,
  itemsIn,
  itemsOut,
  restarts,
  timeShares,
  underWay,
  ...(mailbox === undefined ? {} : { mailbox: mailboxStatus(mailbox) }),
  ...(waitsFor === undefined ? {} : { waitsFor })
})

const mailboxStatus = ({
  bytes,
  frames,
  items,
  oldestAgeMs,
  spilledBytes
}: NonNullable<ActorStatus["mailbox"]>): NonNullable<ActorStatus["mailbox"]> => ({
  frames,
  items,
  bytes,
  spilledBytes,
  oldestAgeMs
})

export const serviceStatus = (of: {
  readonly host: StreamHost
  readonly programs: ServicePrograms
  readonly state: ServiceStatus["state"]
}): ServiceStatus => ({
  pid: process.pid,
  uptimeMs: Math.round(process.uptime() * 1000),
  state: of.state,
  services: of.programs.all,
  ...streamsOf(of.host)
})
