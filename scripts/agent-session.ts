// Writes the transcript of docs/agents.md: a client of the official package starts `rtfs-streams mcp` and really does what
// stands there. `node scripts/agent-session.ts --check` only compares, and leaves times and ids aside.
import { Client } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const page = fileURLToPath(new URL("../docs/agents.md", import.meta.url))
const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url))
const begin = "<!-- transcript -->\n"
const end = "<!-- end of transcript -->"

const lines: Array<string> = []
const client = new Client({ name: "agent", version: "1" }, { versionNegotiation: { mode: "auto" } })
await client.connect(new StdioClientTransport({ command: process.execPath, args: [main, "mcp"], stderr: "ignore" }))

const call = async (name: string, args: Record<string, unknown>): Promise<Record<string, unknown>> => {
  const { content, isError, structuredContent } = await client.callTool({ name, arguments: args })
  const answer = structuredContent ?? (content as ReadonlyArray<{ readonly text: string }>)[0]!.text
  lines.push(`→ ${name} ${JSON.stringify(args)}`, `← ${isError === true ? `error: ${String(answer)}` : JSON.stringify(answer)}`, "")
  return (structuredContent ?? {}) as Record<string, unknown>
}

const { stream_id } = await call("stream_start", {
  rtfs: "(call :stream.map (call :stream.generate {:generator (fn [n] [n (inc n)]) :initial-state 1}) {:transform (fn [n] {:n n :square (* n n)})})",
  queue_capacity: 100
})
const { next_cursor } = await call("stream_read", { stream_id, max_items: 3, wait_ms: 5000 })
await call("stream_pause", { stream_id })
await call("stream_read", { stream_id, cursor: next_cursor, max_items: 2 })
await call("stream_resume", { stream_id })
await call("stream_read", { stream_id: "s-unknown" })
await call("stream_stop", { stream_id, mode: "cancel" })
await client.close()

/** Ids and times are others each time, and so is how far a stream is that runs. */
const steady = (text: string): string =>
  text
    .replaceAll(/s-[\w-]{22}/g, "s-3q8Yw0cGJk2mXv5rTn7bLA")
    .replaceAll(/"at":\d+/g, '"at":1767225600000')
    .replaceAll(/"(next_cursor|cursor)":"[\w-]+\.(\d+)"/g, '"$1":"Zk3vQ9aT.$2"')
    .replaceAll(/"(items|queued)":\d+/g, '"$1":100')

const transcript = `${begin}\`\`\`\n${steady(lines.join("\n")).trimEnd()}\n\`\`\`\n${end}`
const before = readFileSync(page, "utf8")
const after = before.replace(/<!-- transcript -->[\s\S]*<!-- end of transcript -->/, () => transcript)
if (process.argv.includes("--check")) {
  if (after !== before) {
    process.stderr.write("docs/agents.md is not what an agent sees: run node scripts/agent-session.ts\n")
    process.exitCode = 1
  }
} else writeFileSync(page, after)
