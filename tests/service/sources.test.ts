import { afterEach, describe, expect, it } from "vitest"
import { serveWeather, stdioServer } from "../capabilities/mcp/mcpServers.ts"
import { AgentHost } from "./agentHost.ts"

let agent: AgentHost
afterEach(() => agent[Symbol.asyncDispose]())

const endpointsOf = ({ sources }: any): ReadonlyArray<string> => sources.map(({ endpoint }: any) => endpoint)

describe("stream_sources", () => {
  it("lists the servers and endpoints of MCP that the host has named first, and asks none of them", async () => {
    const url = "http://127.0.0.1:9/mcp"
    agent = await AgentHost.start({
      mcpServers: {
        weather: { url, headers: { "x-token": "hidden" } },
        notes: { command: "/nowhere/notes-server", env: { TOKEN: "hidden" } },
        ticker: { url, transport: "raw-sse" }
      },
      mcpEndpoints: {
        "weather.monitor.v1": { server: "weather", tool: "weather.count" },
        paris: "weather/resource:weather://paris",
        feed: { sse: "http://127.0.0.1:9/feed" }
      }
    })
    const asked: Array<string> = []
    Object.defineProperty(agent.host, "mcp", { value: { ...agent.host.mcp, offers: async (server: string) => void asked.push(server) } })
    const listed = await agent.call("stream_sources", { limit: 8 })
    expect(listed.sources.slice(0, 6)).toMatchObject([
      { endpoint: "weather.monitor.v1", summary: expect.stringContaining("weather/tool:weather.count") },
      { endpoint: "paris", summary: expect.stringContaining("weather/resource:weather://paris") },
      { endpoint: "feed", summary: expect.stringContaining("sse:http://127.0.0.1:9/feed") },
      { endpoint: "weather/tool:NAME", server: "weather", summary: expect.stringContaining('server: "weather"') },
      { endpoint: "notes/tool:NAME", server: "notes" },
      { endpoint: "PATH", server: "ticker", summary: expect.stringContaining("Only the default server") }
    ])
    expect(JSON.stringify(listed)).not.toContain("hidden")
    expect(endpointsOf(listed)[6]).toMatch(/^stream\./)
    expect(endpointsOf(await agent.call("stream_sources", { query: "monitor" }))).toEqual(["weather.monitor.v1"])
    expect(asked).toEqual([])
  })

  it("with a server lists its tools and resources, each of which starts a stream", async () => {
    await using weather = await serveWeather()
    agent = await AgentHost.start({ mcpServers: { weather: { url: weather.url }, process: stdioServer() } })
    for (const server of ["weather", "process"]) {
      const { sources, total } = await agent.call("stream_sources", { server })
      expect(total).toBe(sources.length)
      expect(endpointsOf({ sources })).toEqual([
        `${server}/tool:weather.count`,
        `${server}/tool:weather.broken`,
        `${server}/resource:weather://paris`
      ])
      expect(sources[0]).toMatchObject({ summary: "Reports numbers.", config_schema: { properties: { count: { type: "integer" } } } })
    }
    expect(endpointsOf(await agent.call("stream_sources", { server: "weather", query: "numbers" }))).toEqual(["weather/tool:weather.count"])
    const { stream_id } = await agent.call("stream_start", { endpoint: "weather/tool:weather.count", config: { count: 2 } })
    expect((await agent.items(stream_id)).slice(0, 2)).toEqual([{ n: 1 }, { n: 2 }])
  })

  it("says of a server that can't be asked why, and what to call next", async () => {
    agent = await AgentHost.start({
      mcpServers: {
        gone: { url: "http://127.0.0.1:9/mcp" },
        missing: { command: "/nowhere/notes-server" },
        ticker: { url: "http://127.0.0.1:9/feed", transport: "raw-sse" }
      }
    })
    for (const [server, problem] of [
      ["gone", "127.0.0.1:9"],
      ["missing", "command"],
      ["ticker", "events"],
      ["other", "gone, missing, ticker"]
    ] as const)
      await expect(agent.call("stream_sources", { server })).rejects.toThrow(new RegExp(`${problem}[\\s\\S]*stream_sources without server`))
  })

  it("cuts what a server says at length", async () => {
    const long = { tools: [{ name: "t", description: "d".repeat(5000), inputSchema: { type: "object", title: "s".repeat(9000) } }] }
    agent = await AgentHost.start()
    Object.defineProperty(agent.host, "mcp", {
      value: { servers: () => [], endpoints: () => [], offers: async () => ({ resources: [], resourceTemplates: [], ...long }) }
    })
    const { sources } = await agent.call("stream_sources", { server: "any" })
    expect(sources[0].summary).toHaveLength(500)
    expect(sources[0].config_schema).toMatchObject({ truncated: true, size: expect.any(Number) })
    expect(JSON.stringify(sources).length).toBeLessThan(2500)
  })
})
