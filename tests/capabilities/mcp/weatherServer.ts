import { appendFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { fromJsonSchema, McpServer } from "@modelcontextprotocol/server"

/** What tests hear of a server, by way of a file where it runs in another process. */
export interface Heard {
  readonly tell: (line: string) => void
}

export const toFile = (path: string): Heard => ({ tell: (line) => appendFileSync(path, `${line}\n`) })

const counts = fromJsonSchema<{ count?: number; delayMs?: number; size?: number }>({
  type: "object",
  properties: { count: { type: "integer" }, delayMs: { type: "integer" }, size: { type: "integer" } }
})

/** What the resource holds; a server in another process counts by itself. */
export const reading = { temperature: 20 }

/** A small server made with the official package: tools that report progress, and a resource that changes. */
export const weatherServer = (heard: Heard = { tell: () => {} }): McpServer => {
  const server = new McpServer({ name: "weather", version: "1.0.0" }, { capabilities: { resources: { subscribe: true } } })
  server.registerTool(
    "weather.count",
    { description: "Reports numbers.", inputSchema: counts, annotations: { readOnlyHint: true } },
    async ({ count = 5, delayMs = 0, size = 0 }, context) => {
      heard.tell("called")
      const { notify, signal, _meta: meta } = context.mcpReq
      for (let index = 1; index <= count; index++) {
        if (signal.aborted) {
          heard.tell("cancelled")
          break
        }
        const message = JSON.stringify({ n: index, ...(size === 0 ? {} : { text: "x".repeat(size) }) })
        if (meta?.progressToken !== undefined) {
          await notify({
            method: "notifications/progress",
            params: { progressToken: meta.progressToken, progress: index, total: count, message }
          })
        }
        heard.tell(`sent ${index}`)
        if (delayMs > 0) await sleep(delayMs, undefined, { signal }).catch(() => {})
      }
      return { content: [{ type: "text", text: JSON.stringify({ done: count }) }] }
    }
  )
  server.registerTool("weather.broken", { description: "Fails.", inputSchema: counts }, () => ({
    content: [{ type: "text", text: "no such city" }],
    isError: true
  }))
  server.registerResource("paris", "weather://paris", { mimeType: "application/json" }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: "application/json", text: JSON.stringify(reading) }]
  }))
  server.server.setRequestHandler("resources/subscribe", ({ params }) => {
    heard.tell(`subscribed ${params.uri}`)
    return {}
  })
  return server
}
