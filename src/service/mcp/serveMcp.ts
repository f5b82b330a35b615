import type { StreamHost } from "../../host/index.ts"
import { ChangeNotices } from "./ChangeNotices.ts"
import { makeServer, type MakeServer } from "./makeServer.ts"
import { McpStreams } from "./McpStreams.ts"
import { type RunningMcp, type ServeHttpOptions, serveHttpOffer, serveStdioOffer } from "./serveOffer.ts"
import { streamOffer } from "./streamOffer.ts"
import { uriOf } from "./tools.ts"

export interface McpOptions {
  readonly host: StreamHost
  readonly version: string
  readonly log: (line: string) => unknown
}

export interface McpHttpOptions extends McpOptions, Pick<ServeHttpOptions, "address" | "hosts" | "tokenFile"> {}

/** Serves the streams of one client on standard input and output. They end with it. */
export const serveMcpStdio = async (options: McpOptions): Promise<RunningMcp> => {
  const { make, notices, streams } = streamsOf(options)
  return closingStreams(streams, await serveStdioOffer({ make, notices, log: options.log }))
}

/** Serves streams to any number of clients over HTTP, see `serveHttpOffer`. The streams stay when the clients go. */
export const serveMcpHttp = async (options: McpHttpOptions): Promise<RunningMcp & { readonly url: string }> => {
  const { address, hosts, log, tokenFile } = options
  const { make, notices, streams } = streamsOf(options)
  return closingStreams(streams, await serveHttpOffer({ make, notices, log, address, hosts, tokenFile }))
}

const streamsOf = ({ host, version }: McpOptions): { make: MakeServer; notices: ChangeNotices; streams: McpStreams } => {
  const notices = new ChangeNotices()
  const streams = new McpStreams({ host, onChange: (id) => notices.tell(id === undefined ? undefined : uriOf(id)) })
  const offer = streamOffer({ streams, host, version })
  return { streams, notices, make: (served) => makeServer(offer, served) }
}

const closingStreams = <Running extends RunningMcp>(streams: McpStreams, running: Running): Running => ({
  ...running,
  close: async () => {
    await streams.close()
    await running.close()
  }
})
