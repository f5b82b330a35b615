import type { HttpCounts } from "./HttpServer.ts"
import type { ActorStatus, ServiceStatus, StreamStatus } from "./ServiceStatus.ts"

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]

/** The text format that Prometheus reads, version 0.0.4. */
export const prometheusType = "text/plain; version=0.0.4; charset=utf-8"

/** The status and the counts of the HTTP server as metrics. */
export const prometheusText = ({ omitted, services, streams, uptimeMs }: ServiceStatus, http: HttpCounts): string => {
  const perStream = (value: (stream: StreamStatus) => number): ReadonlyArray<Sample> =>
    streams.map((stream) => [{ stream: stream.id }, value(stream)])
  const perActor = (value: (actor: ActorStatus) => number | undefined): ReadonlyArray<Sample> =>
    streams.flatMap((stream) =>
      stream.actors.flatMap((actor) => {
        const measured = value(actor)
        return measured === undefined
          ? []
          : [[{ stream: stream.id, actor: actor.address.slice(actor.address.lastIndexOf("/") + 1) }, measured] as const]
      })
    )
  const { memoryUsage } = process
  const cpu = process.cpuUsage()
  return [
    metric(
      "rtfs_streams_service_up",
      "gauge",
      "1 where a service is running or paused.",
      services.map(({ name, status }) => [{ service: name }, isUp(status)])
    ),
    metric(
      "rtfs_streams_service_restarts_total",
      "counter",
      "How often a service began anew by itself.",
      services.map(({ name, restarts }) => [{ service: name }, restarts])
    ),
    metric(
      "rtfs_streams_stream_running",
      "gauge",
      "1 where a stream is running.",
      perStream(({ status }) => (status === "running" ? 1 : 0))
    ),
    metric(
      "rtfs_streams_items_accepted_total",
      "counter",
      "Items that sources gave.",
      perStream(({ accepted }) => accepted)
    ),
    metric(
      "rtfs_streams_items_processed_total",
      "counter",
      "Items that were worked off to the end.",
      perStream(({ processed }) => processed)
    ),
    metric(
      "rtfs_streams_items_skipped_total",
      "counter",
      "Items that a skip policy gave up.",
      perStream(({ skipped }) => skipped)
    ),
    metric(
      "rtfs_streams_items_retried_total",
      "counter",
      "How often an item was tried again.",
      perStream(({ retried }) => retried)
    ),
    metric(
      "rtfs_streams_items_dropped_total",
      "counter",
      "Items that full buffers dropped.",
      perStream(({ dropped }) => dropped)
    ),
    metric(
      "rtfs_streams_items_dead_lettered_total",
      "counter",
      "Items that were given up on and stored.",
      perStream(({ deadLettered }) => deadLettered)
    ),
    metric(
      "rtfs_streams_items_undrained",
      "gauge",
      "Items that were accepted and are not worked off.",
      perStream(({ undrained }) => undrained)
    ),
    metric(
      "rtfs_streams_actor_items_in_total",
      "counter",
      "Items that an actor took in.",
      perActor(({ itemsIn }) => itemsIn)
    ),
    metric(
      "rtfs_streams_actor_items_out_total",
      "counter",
      "Items that an actor gave.",
      perActor(({ itemsOut }) => itemsOut)
    ),
    metric(
      "rtfs_streams_actor_restarts_total",
      "counter",
      "How often an actor was restarted.",
      perActor(({ restarts }) => restarts)
    ),
    metric(
      "rtfs_streams_actor_busy_ratio",
      "gauge",
      "The part of its time in which an actor works.",
      perActor(({ timeShares }) => timeShares.busy)
    ),
    metric(
      "rtfs_streams_actor_blocked_ratio",
      "gauge",
      "The part of its time in which an actor waits for room downstream.",
      perActor(({ timeShares }) => timeShares.blocked)
    ),
    metric(
      "rtfs_streams_mailbox_items",
      "gauge",
      "Items that wait in front of an actor.",
      perActor(({ mailbox }) => mailbox?.items)
    ),
    metric(
      "rtfs_streams_mailbox_bytes",
      "gauge",
      "Bytes that wait in front of an actor, in memory.",
      perActor(({ mailbox }) => mailbox?.bytes)
    ),
    metric(
      "rtfs_streams_mailbox_spilled_bytes",
      "gauge",
      "Bytes that wait in front of an actor, on disk.",
      perActor(({ mailbox }) => mailbox?.spilledBytes)
    ),
    metric(
      "rtfs_streams_mailbox_oldest_seconds",
      "gauge",
      "The age of what has waited longest.",
      perActor(({ mailbox }) => (mailbox === undefined ? undefined : mailbox.oldestAgeMs / 1000))
    ),
    metric("rtfs_streams_streams_omitted", "gauge", "Streams that are not in these metrics, because there are too many.", [[{}, omitted]]),
    metric("rtfs_streams_http_requests_total", "counter", "Requests to this server.", [[{}, http.requests]]),
    metric("rtfs_streams_http_refused_total", "counter", "What this server refused, by reason.", [
      ...Object.entries(http.refused).map(([reason, count]) => [{ reason }, count] as const),
      [{ reason: "malformed" }, http.malformed],
      [{ reason: "connections" }, http.dropped],
      [{ reason: "stalled" }, http.stalled]
    ]),
    metric("rtfs_streams_http_connections", "gauge", "Open connections to this server.", [[{}, http.connections]]),
    metric("rtfs_streams_http_unread_bytes", "gauge", "What clients have not taken yet of their answers.", [[{}, http.unread]]),
    metric("rtfs_streams_uptime_seconds", "gauge", "How long the process has run.", [[{}, uptimeMs / 1000]]),
    metric("process_resident_memory_bytes", "gauge", "Resident memory.", [[{}, memoryUsage.rss()]]),
    metric("process_cpu_seconds_total", "counter", "Time of processors spent.", [[{}, (cpu.user + cpu.system) / 1e6]])
  ].join("")
}

const isUp = (status: string): number => (status === "running" || status === "paused" ? 1 : 0)

const metric = (name: string, type: "counter" | "gauge", help: string, samples: ReadonlyArray<Sample>): string =>
  samples.length === 0
    ? ""
    : [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...samples.map(([labels, value]) => `${name}${shownLabels(labels)} ${value}`),
        ""
      ].join("\n")

const shownLabels = (labels: Labels): string => {
  const shown = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return shown.length === 0 ? "" : `{${shown.join(",")}}`
}

/** The three characters that the format gives a meaning inside of a value. */
export const escapeLabel = (value: string): string => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
