import { createInterface } from "node:readline"

// A server of 2024 made by hand: it ends itself at what it does not know, and its last report comes in one piece with the result.
const answer = (id: unknown, result: unknown): string => `${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line) as { readonly id?: unknown; readonly method: string; readonly params: any }
  if (method === "initialize") {
    const serverInfo = { name: "abrupt", version: "1" }
    process.stdout.write(answer(id, { protocolVersion: "2024-11-05", capabilities: { tools: {} }, serverInfo }))
  } else if (method === "tools/list") {
    process.stdout.write(answer(id, { tools: [{ name: "count", inputSchema: { type: "object" } }] }))
  } else if (method === "tools/call") {
    const { progressToken } = params._meta as { readonly progressToken: string }
    const report = (progress: number) =>
      `${JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress } })}\n`
    process.stdout.write(`${[1, 2, 3].map(report).join("")}${answer(id, { content: [{ type: "text", text: "done" }] })}`)
  } else if (!method.startsWith("notifications/")) process.exit(1)
})
