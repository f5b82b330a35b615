import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { afterEach, describe, expect, it } from "vitest"
import { HttpSessions } from "../../src/service/mcp/HttpSessions.ts"
import { makeServer } from "../../src/service/mcp/makeServer.ts"
import { SessionEvents } from "../../src/service/mcp/SessionEvents.ts"
import { serveFixture } from "../drivers/conformance-server.ts"
import { conformanceOffer } from "../drivers/conformanceOffer.ts"

const clients: Array<Client> = []
afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())))

const connect = async (url: string): Promise<Client> => {
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "legacy" } })
  clients.push(client)
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  return client
}

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } }
})
const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" }

/** Sessions at an address, with a clock of the test's own. */
const servedSessions = async (principals = 1) => {
  const clock = { now: 0 }
  const sessions = new HttpSessions({
    make: (served) => makeServer(conformanceOffer, served),
    log: () => {},
    principals,
    now: () => clock.now
  })
  const server = createServer((request, response) => {
    let text = ""
    request.setEncoding("utf8").on("data", (piece: string) => (text += piece))
    request.on("end", () => {
      const principal = String(request.headers["x-principal"] ?? "owner")
      void sessions.handle(request, response, principal, text === "" ? undefined : JSON.parse(text))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  const begin = async (principal = "owner"): Promise<string> => {
    const answer = await fetch(url, { method: "POST", headers: { ...headers, "x-principal": principal }, body: initialize })
    await answer.text()
    return answer.headers.get("mcp-session-id")!
  }
  const ping = async (session: string, more: Record<string, string> = {}): Promise<number> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping" })
    const answer = await fetch(url, { method: "POST", headers: { ...headers, "mcp-session-id": session, ...more }, body })
    await answer.text()
    return answer.status
  }
  return {
    sessions,
    clock,
    url,
    begin,
    ping,
    [Symbol.asyncDispose]: async () => {
      await sessions.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

describe("a client of 2025 over HTTP", () => {
  it("hears of the resources that it subscribed to, and of no other", async () => {
    await using fixture = await serveFixture()
    const client = await connect(fixture.url)
    const heard: Array<string> = []
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.push(params.uri))
    await client.subscribeResource({ uri: "test://watched-resource" })
    await client.subscribeResource({ uri: "test://static-text" })
    for (const name of ["static-binary", "watched-resource", "static-text"]) fixture.notices.tell(`test://${name}`)
    await expect.poll(() => heard).toEqual(["test://watched-resource", "test://static-text"])
    await client.unsubscribeResource({ uri: "test://watched-resource" })
    for (const name of ["watched-resource", "static-text"]) fixture.notices.tell(`test://${name}`)
    await expect.poll(() => heard.length).toBe(3)
    expect(heard[2]).toBe("test://static-text")
  })

  it("gets the result of a call whose stream broke off, by Last-Event-ID", async () => {
    await using fixture = await serveFixture()
    const client = await connect(fixture.url)
    const { content } = await client.callTool({ name: "test_reconnection", arguments: {} })
    expect(content).toEqual([{ type: "text", text: "Reconnected" }])
  })

  it("is told when it begins to listen of what happened before", async () => {
    await using served = await servedSessions()
    const session = await served.begin()
    served.sessions.listChanged()
    const answer = await fetch(served.url, { headers: { accept: "text/event-stream", "mcp-session-id": session } })
    const { value } = await answer.body!.getReader().read()
    expect(new TextDecoder().decode(value)).toContain("notifications/resources/list_changed")
  })

  it("sees at once that it is listened to, before there is any notice", async () => {
    await using served = await servedSessions()
    const answer = await fetch(served.url, { headers: { accept: "text/event-stream", "mcp-session-id": await served.begin() } })
    served.sessions.listChanged()
    // Otherwise the headers would have come with the first sign of life.
    const { value } = await answer.body!.getReader().read()
    expect(new TextDecoder().decode(value)).toContain("notifications/resources/list_changed")
  })
})

describe("a session", () => {
  it("is unknown once its client has ended it, to other principals, and where there was none", async () => {
    await using served = await servedSessions()
    const session = await served.begin()
    expect(await served.ping(session)).toBe(200)
    expect(await served.ping(session, { "x-principal": "another" })).toBe(404)
    expect(await served.ping("00000000-0000-4000-8000-000000000000")).toBe(404)
    await (await fetch(served.url, { method: "DELETE", headers: { "mcp-session-id": session } })).text()
    expect(await served.ping(session)).toBe(404)
    expect(served.sessions.size).toBe(0)
  })

  it("ends when nobody has used it for 30 minutes, unless it is being listened to", async () => {
    await using served = await servedSessions()
    const [idle, listening] = [await served.begin(), await served.begin()]
    const answer = await fetch(served.url, { headers: { accept: "text/event-stream", "mcp-session-id": listening } })
    served.clock.now = 31 * 60_000
    served.sessions.expire()
    expect(await served.ping(idle)).toBe(404)
    expect(await served.ping(listening)).toBe(200)
    await answer.body!.cancel()
  })

  it("gives way to the 129th when it has been out of use for the longest", async () => {
    await using served = await servedSessions()
    const ids: Array<string> = []
    for (; ids.length < 128; served.clock.now++) ids.push(await served.begin())
    expect(await served.ping(ids[0]!)).toBe(200)
    await served.begin()
    expect(served.sessions.size).toBe(128)
    expect(await served.ping(ids[0]!)).toBe(200)
    expect(await served.ping(ids[1]!)).toBe(404)
  })

  it("gives way to one of its own principal only", async () => {
    await using served = await servedSessions(64)
    const session = await served.begin("one")
    const others: Array<string> = []
    for (; others.length < 6; served.clock.now++) others.push(await served.begin("other"))
    expect(await served.ping(session, { "x-principal": "one" })).toBe(200)
    const answers = await Promise.all(others.map((other) => served.ping(other, { "x-principal": "other" })))
    expect(answers).toEqual([404, 404, 200, 200, 200, 200])
  })
})

describe("the events of a session", () => {
  const message = (text: string) => ({ jsonrpc: "2.0" as const, method: "notifications/message", params: { text } })

  it("are replayed behind a number, those of one stream alone, and not where some are gone", async () => {
    const events = new SessionEvents()
    const replayed = async (id: string): Promise<ReadonlyArray<string>> => {
      const seen: Array<string> = []
      await events.replayEventsAfter(id, { send: async (_, { params }: any) => void seen.push(params.text.slice(0, 1)) })
      return seen
    }
    const first = await events.storeEvent("one", message("a"))
    await events.storeEvent("two", message("b"))
    const second = await events.storeEvent("one", message("c"))
    expect(await replayed(first)).toEqual(["c"])
    expect(await replayed(second)).toEqual([])
    for (let count = 0; count < 3; count++) await events.storeEvent("two", message("d".repeat(100_000)))
    // The newest of them is gone, but nothing came behind it; behind the first one something is missing.
    expect(await replayed(second)).toEqual([])
    await expect(replayed(first)).rejects.toThrow("not kept any more")
    for (const unknown of ["", "1", "x.one", "1.three", "99.one"]) await expect(replayed(unknown)).rejects.toThrow("not kept any more")
  })

  it("are replayed whole while others come and push them out", async () => {
    const events = new SessionEvents()
    const first = await events.storeEvent("one", message("first"))
    for (const text of ["a", "b", "c", "d"]) await events.storeEvent("one", message(text))
    const seen: Array<string> = []
    const send = async (_: string, { params }: any) => {
      seen.push(params.text)
      if (seen.length === 1) await events.storeEvent("two", message("x".repeat(262_000)))
    }
    await events.replayEventsAfter(first, { send })
    expect(seen).toEqual(["a", "b", "c", "d"])
  })
})
