import { type HostOptions, StreamHost } from "../../src/index.ts"
import { McpStreams, type McpStreamsOptions } from "../../src/service/mcp/McpStreams.ts"
import type { Asker } from "../../src/service/mcp/makeServer.ts"
import { ToolProblem } from "../../src/service/mcp/ToolProblem.ts"
import { toolsOf } from "../../src/service/mcp/tools.ts"
import type { ToolName } from "../../src/service/mcp/toolSchemas.ts"

/** The tools of a server without a server: what an agent calls, in this process. */
export class AgentHost implements AsyncDisposable {
  readonly host: StreamHost
  readonly streams: McpStreams
  readonly changes: Array<string | undefined> = []
  readonly logged: Array<string> = []
  /** In milliseconds, moved by tests. */
  time: number

  static async start(
    options: HostOptions = {},
    settings: Partial<McpStreamsOptions> & { readonly time?: number } = {}
  ): Promise<AgentHost> {
    const host = await StreamHost.start({ log: () => {}, print: () => {}, ...options })
    const { time = 1_000_000, ...rest } = settings
    const agent = new AgentHost(host, time, rest)
    await agent.streams.restore()
    return agent
  }

  private constructor(host: StreamHost, time: number, settings: Partial<McpStreamsOptions>) {
    this.host = host
    this.time = time
    this.streams = new McpStreams({
      host,
      log: (line) => void this.logged.push(line),
      now: () => this.time,
      onChange: (id) => void this.changes.push(id),
      ...settings
    })
  }

  async call(name: ToolName, args: object = {}, asker: Partial<Asker> = {}): Promise<any> {
    const everybody: Asker = { principal: "owner", signal: new AbortController().signal, progress: async () => {} }
    try {
      return await toolsOf(this.streams, this.host)[name].call(args, { ...everybody, ...asker })
    } catch (error) {
      // As the server says it.
      throw error instanceof ToolProblem ? new Error(`${error.message}. ${error.next}`) : error
    }
  }

  /** What `stream_inspect` says once it is as wanted; the test's own timeout is the limit. */
  async inspectUntil(stream_id: string, isWanted: (inspected: any) => boolean, args: object = {}): Promise<any> {
    for (;;) {
      const inspected = await this.call("stream_inspect", { stream_id, ...args })
      if (isWanted(inspected)) return inspected
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Reads to the end of the stream, or until there are as many items. */
  async items(
    stream_id: string,
    { from = "outputs", most = Infinity }: { from?: "outputs" | "chunks"; most?: number } = {}
  ): Promise<Array<any>> {
    const all: Array<any> = []
    for (let cursor: string | undefined; ;) {
      const page = await this.call("stream_read", { stream_id, from, wait_ms: 5000, ...(cursor === undefined ? {} : { cursor }) })
      all.push(...page.items.map(({ value }: { value: unknown }) => value))
      cursor = page.next_cursor
      if (page.done === true || all.length >= most) return all
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.streams.close()
    await this.host.stop({ timeout: 0 })
  }
}

export const counting = "(call :stream.generate {:generator (fn [n] [n (inc n)]) :initial-state 0})"
/** Gives nothing, and goes on. */
export const silent = "(call :stream.filter (call :stream.periodic {:interval 60000 :generator (fn [t] t)}) {:predicate (fn [x] false)})"
