import { describe, expect, it } from "vitest"
import type { ElicitationRequest, HostOptions } from "rtfs-streams"
import { bodyOf, serveHttp, type TestServer } from "../network/servers.ts"
import { hostWith } from "./mcpServers.ts"
import { json } from "./oauthServers.ts"

const schema = {
  type: "object",
  properties: { name: { type: "string", default: "Ada" }, age: { type: "integer", default: 30 }, sure: { type: "boolean" } }
}

interface Asking extends TestServer {
  readonly capabilities: Array<unknown>
  readonly answers: Array<unknown>
}

/** A server with a tool that asks, in the words of one era. */
const serveAsking = async (era: "2025-11-25" | "2026-07-28"): Promise<Asking> => {
  const capabilities: Array<unknown> = []
  const answers: Array<unknown> = []
  let finish: (() => void) | undefined
  const question = { method: "elicitation/create", params: { mode: "form", message: "Who?", requestedSchema: schema } }
  const complete = { resultType: "complete", ttlMs: 0, cacheScope: "private" }
  const server = await serveHttp(async (request, response) => {
    if (request.method !== "POST") return response.writeHead(405).end()
    const { error, id, method, params, result } = JSON.parse(await bodyOf(request))
    const reply = (value: object) => json(response, 200, { jsonrpc: "2.0", id, result: value })
    if (method === undefined) {
      answers.push(result ?? error.code)
      response.writeHead(202).end()
      return finish?.()
    }
    switch (method) {
      case "server/discover":
        if (era === "2025-11-25") return json(response, 200, { jsonrpc: "2.0", id, error: { code: -32_601, message: "no" } })
        capabilities.push(params._meta["io.modelcontextprotocol/clientCapabilities"])
        return reply({ ...complete, supportedVersions: [era], capabilities: { tools: {} }, serverInfo: { name: "asking", version: "1" } })
      case "initialize":
        capabilities.push(params.capabilities)
        return reply({ protocolVersion: era, capabilities: { tools: {} }, serverInfo: { name: "asking", version: "1" } })
      case "tools/list":
        return reply({ ...complete, tools: [{ name: "ask", inputSchema: { type: "object" } }] })
      case "tools/call": {
        if (era === "2026-07-28") {
          if (params.inputResponses === undefined) return reply({ resultType: "input_required", inputRequests: { who: question } })
          answers.push(params.inputResponses.who)
          return reply({ ...complete, content: [{ type: "text", text: '"done"' }] })
        }
        response.writeHead(200, { "Content-Type": "text/event-stream" })
        const event = (message: object) => `data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`
        response.write(event({ id: 77, ...question }))
        finish = () => response.end(event({ id, result: { content: [{ type: "text", text: '"done"' }] } }))
        return undefined
      }
      default:
        return response.writeHead(202).end()
    }
  })
  return Object.assign(server, { capabilities, answers })
}

const ask = async (server: Asking, options: HostOptions): Promise<unknown> => {
  await using host = await hostWith({ mcpServers: { asking: { url: `${server.url}/mcp` } }, ...options })
  return await host.eval('(call :stream.await (mcp-stream {:server "asking" :tool "ask"} {} (fn [_ chunk _] {:state chunk}) nil))')
}

describe.each(["2025-11-25", "2026-07-28"] as const)("a question of a server of %s", (era) => {
  it("is answered by the host, with the schema's defaults for what it leaves out", async () => {
    await using server = await serveAsking(era)
    const asked: Array<ElicitationRequest> = []
    const elicit = (request: ElicitationRequest) => {
      asked.push(request)
      return { action: "accept", content: { age: 36 } } as const
    }
    expect(await ask(server, { elicit })).toBe("done")
    expect(asked).toEqual([{ server: "asking", message: "Who?", requestedSchema: schema }])
    expect(server.answers).toEqual([{ action: "accept", content: { name: "Ada", age: 36 } }])
    expect(server.capabilities[0]).toMatchObject({ elicitation: { form: {} } })
  })

  it("is declined, or cancelled where the host's function fails; what it says stays here", async () => {
    await using server = await serveAsking(era)
    await ask(server, { elicit: () => ({ action: "decline" }) })
    await ask(server, { elicit: () => Promise.reject(new Error("no window")) })
    expect(server.answers).toEqual([{ action: "decline" }, { action: "cancel" }])
  })
})

describe("without elicit", () => {
  it("no server is told that it may ask, and a call that does ends with :input-required", async () => {
    await using server = await serveAsking("2026-07-28")
    await expect(ask(server, {})).rejects.toMatchObject({ cause: { reason: "input-required" } })
    expect(server.capabilities[0]).not.toHaveProperty("elicitation")
    await using old = await serveAsking("2025-11-25")
    expect(await ask(old, {})).toBe("done")
    expect(old.capabilities[0]).not.toHaveProperty("elicitation")
    expect(old.answers).toEqual([-32_601])
  })
})
