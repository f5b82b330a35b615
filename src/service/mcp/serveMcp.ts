import type { Records, StreamHost } from "../../host/index.ts"
import { ChangeNotices } from "./ChangeNotices.ts"
import { makeServer } from "./makeServer.ts"
import { McpStreams } from "./McpStreams.ts"
import { type RunningMcp, type ServeHttpOptions, serveHttpOffer, serveStdioOffer } from "./serveOffer.ts"
import { feedWatchdog, notifySystemd } from "../notifySystemd.ts"
import { openTokens } from "../Token.ts"
import { streamOffer } from "./streamOffer.ts"
import { uriOf } from "./shown.ts"

export interface McpOptions {
  readonly host: StreamHost
  readonly version: string
  readonly log: (line: string) => unknown
}

export interface McpHttpOptions extends McpOptions, Pick<ServeHttpOptions, "address" | "hosts" | "tokenFile"> {}

/** Serves the streams of one client on standard input and output. They end with it, unless the host keeps state on disk. */
export const serveMcpStdio = (options: McpOptions): Promise<RunningMcp> =>
  withStreams(options, 1, (served) => serveStdioOffer({ ...served, log: options.log }))

/** Serves streams to any number of clients over HTTP, see `serveHttpOffer`. The streams stay when the clients go. */
export const serveMcpHttp = async (options: McpHttpOptions): Promise<RunningMcp & { readonly url: string }> => {
  const { address, hosts, log, tokenFile } = options
  const { length } = await openTokens(tokenFile)
  const running = await withStreams(options, length, (served) => serveHttpOffer({ ...served, log, address, hosts, tokenFile }))
  await notifySystemd(log, "READY=1")
  const stopFeeding = feedWatchdog(log)
  return {
    ...running,
    close: async () => {
      await notifySystemd(log, "STOPPING=1")
      await running.close()
      stopFeeding()
    }
  }
}

const withStreams = async <Running extends RunningMcp>(
  { host, log, version }: McpOptions,
  principals: number,
  serve: (served: Pick<ServeHttpOptions, "make" | "notices">) => Promise<Running>
): Promise<Running> => {
  const notices = new ChangeNotices()
  const streams = new McpStreams({ host, log, principals, records: await recordsOf(host, log), onChange: tellOf(notices) })
  try {
    await streams.restore()
    const offer = streamOffer({ streams, host, version })
    const running = await serve({ notices, make: (served) => makeServer(offer, served) })
    return {
      ...running,
      close: async () => {
        await streams.close()
        await running.close()
      }
    }
  } catch (error) {
    await streams.close()
    throw error
  }
}

/** Where streams are kept; `undefined` where the host's store is only in memory, or another server on it keeps those of its own. */
const recordsOf = async (host: StreamHost, log: McpOptions["log"]): Promise<Records | undefined> => {
  try {
    const records = await host.records("agent-streams")
    return records.isDurable ? records : undefined
  } catch (error) {
    if ((error as { readonly _tag?: unknown })._tag !== "StreamInUse") throw error
    await log(
      "Another rtfs-streams mcp keeps its streams in this store, so the streams of this one end with it. Give it a --data-dir of its own."
    )
    return undefined
  }
}

/** Who has subscribed to a stream or its outputs is told of both. */
const tellOf =
  (notices: ChangeNotices) =>
  (id: string | undefined): void => {
    if (id === undefined) return notices.tell(undefined)
    notices.tell(uriOf(id))
    notices.tell(`${uriOf(id)}/outputs`)
  }
