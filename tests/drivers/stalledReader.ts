// Asks `rtfs-streams mcp --http` for the longest answers there are and reads none of them; looks at what the server holds.
//
//   node tests/drivers/stalledReader.ts --connections 64 --requests 16 --seconds 14
//
// Each connection asks four times without waiting and then again and again, so that its answers fill the buffers of the kernel
// (up to 10 MB of them) and then the server; it leaves its socket alone, so that the window of TCP closes. Prints one JSON line.
// Exit status 1 where the server holds more than 64 MB more than before once all was collected, where the readers took something,
// or where the server does not close their connections or answer others meanwhile. `residentAtMost` is what the kernel
// counts: with what making the answers leaves to be collected.
import { connect, type Socket } from "node:net"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { setTimeout as sleep } from "node:timers/promises"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { ServiceProcess, until } from "../service/ServiceProcess.ts"
import { askHeldMemory } from "./askHeldMemory.ts"
import { residentMegabytes } from "./manyStreams.ts"

export interface Stall {
  readonly connections: number
  /** What was asked for, in all. */
  readonly megabytesAsked: number
  /** What the readers took while the server was watched. */
  readonly megabytesRead: number
  /** What came once they read at last: it lay in buffers of the kernel, or the server had kept it. */
  readonly megabytesLater: number
  readonly heldBefore: number
  readonly heldAtMost: number
  readonly residentBefore: number
  readonly residentAtMost: number
  /** How many connections the server closed while it was watched. */
  readonly closed: number
  /** How often somebody else was answered meanwhile. */
  readonly answeredOthers: number
}

/** So many unanswered requests the server takes on one connection. */
const mostAtOnce = 4

/** About as long as an item may be that is kept whole. */
const itemCharacters = 1_024_000

export const stallReaders = async (connections: number, requests: number, seconds: number): Promise<Stall> => {
  const service = new ServiceProcess()
  const client = new Client({ name: "driver", version: "1" }, { versionNegotiation: { mode: "auto" } })
  const sockets: Array<Socket> = []
  const { env, held } = askHeldMemory(service)
  try {
    await service.start(["mcp", "--http"], { env })
    const requestInit = { headers: { authorization: `Bearer ${service.token}` } }
    await client.connect(new StreamableHTTPClientTransport(new URL(`${service.url}/mcp`), { requestInit }))
    const text = `(reduce (fn [text n] (str text text)) "${"x".repeat(itemCharacters / 1024)}" (range 0 10))`
    const { structuredContent } = await client.callTool({
      name: "stream_start",
      arguments: { rtfs: `(call :stream.map [1] {:transform (fn [n] ${text})})` }
    })
    const { resource_uri, stream_id } = structuredContent as { readonly resource_uri: string; readonly stream_id: string }
    await until(
      async () =>
        (await client.callTool({ name: "stream_inspect", arguments: { stream_id } })).structuredContent as { readonly items: number },
      ({ items }) => items === 1
    )
    const pid = service.running.process.pid!
    const heldBefore = await held()
    const residentBefore = residentMegabytes(pid)
    const request = requestFor(`${resource_uri}/items/1`, service)
    for (let index = 0; index < connections; index++) {
      const socket = connect({ port: service.port, host: "127.0.0.1" })
      socket.on("error", () => {})
      socket.pause()
      socket.write(request.repeat(Math.min(requests, mostAtOnce)))
      sockets.push(socket)
    }
    for (let asked = mostAtOnce; asked < requests; asked++) {
      await sleep(100)
      for (const socket of sockets) if (socket.writable) socket.write(request)
    }
    let [heldAtMost, residentAtMost, answeredOthers] = [0, 0, 0]
    for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(500)) {
      residentAtMost = Math.max(residentAtMost, residentMegabytes(pid))
      heldAtMost = Math.max(heldAtMost, await held())
      if ((await client.callTool({ name: "stream_list", arguments: {} })).isError !== true) answeredOthers++
    }
    const megabytesRead = inMegabytes(sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0))
    const ends = await Promise.all(sockets.map(receivedBy))
    return {
      connections,
      megabytesAsked: inMegabytes(connections * requests * itemCharacters),
      megabytesRead,
      megabytesLater: inMegabytes(ends.reduce((sum, { bytes }) => sum + bytes, 0)),
      heldBefore,
      heldAtMost,
      residentBefore,
      residentAtMost,
      closed: ends.filter(({ isClosed }) => isClosed).length,
      answeredOthers
    }
  } finally {
    for (const socket of sockets) socket.destroy()
    await client.close().catch(() => {})
    await service.stop().catch(() => {})
    service.remove()
  }
}

const requestFor = (uri: string, { port, token }: ServiceProcess): string => {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "resources/read", params: { uri } })
  return [
    "POST /mcp HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    `Authorization: Bearer ${token}`,
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body
  ].join("\r\n")
}

/** Reads, at last, what lies in the buffers; a server that has closed the connection ends it. */
const receivedBy = (socket: Socket): Promise<{ readonly bytes: number; readonly isClosed: boolean }> =>
  new Promise((resolve) => {
    // The other side may have been heard of only when more was sent to it.
    if (socket.closed) return resolve({ bytes: 0, isClosed: true })
    let bytes = 0
    const done = (isClosed: boolean) => {
      clearTimeout(quiet)
      resolve({ bytes, isClosed })
    }
    const quiet = setTimeout(() => done(false), 2000)
    socket.on("data", (chunk: Buffer) => (bytes += chunk.length))
    socket.once("close", () => done(true))
    socket.resume()
  })

const inMegabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10

export const faultsOf = (stall: Stall): ReadonlyArray<string> => {
  const { answeredOthers, closed, connections, heldAtMost, heldBefore, megabytesAsked, megabytesRead } = stall
  return [
    ...(heldAtMost - heldBefore > 64 ? [`the server holds ${Math.round(heldAtMost - heldBefore)} MB more`] : []),
    ...(megabytesRead > megabytesAsked / 4 ? [`the readers did not stall: they took ${megabytesRead} MB`] : []),
    ...(closed < connections ? [`${connections - closed} connections are open still`] : []),
    ...(answeredOthers === 0 ? ["nobody else was answered"] : [])
  ]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      connections: { type: "string", default: "1" },
      requests: { type: "string", default: "16" },
      seconds: { type: "string", default: "14" }
    }
  })
  const stall = await stallReaders(Number(values.connections), Number(values.requests), Number(values.seconds))
  console.log(JSON.stringify(stall))
  for (const fault of faultsOf(stall)) {
    console.log(fault)
    process.exitCode = 1
  }
}
