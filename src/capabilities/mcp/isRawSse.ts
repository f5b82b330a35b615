import type { McpServer } from "./McpAccess.ts"
import { type ConnectOptions, fetchOf } from "./McpConnection.ts"
import { within } from "./waiting.ts"

/** How long a first event may take. A server of 2024 sends its own at once, so silence is none of that. */
const firstEventMs = 2_000

/**
 * Whether the address of a server gives events as they are: a stream whose first event is not the `endpoint` with which
 * servers of 2024 begin. Anything else is for the protocol to find out.
 */
export const isRawSse = async (options: ConnectOptions): Promise<boolean> => {
  const { perform, signal, timeoutMs } = options
  const server = options.server as Extract<McpServer, { kind: "http" }>
  const asking = new AbortController()
  const stop = () => asking.abort(signal.reason)
  signal.addEventListener("abort", stop, { once: true })
  let isOpen = false
  let first: string | undefined
  const asked = async (): Promise<void> => {
    const answer = await fetchOf(options, server)(server.url, { headers: { accept: "text/event-stream" }, signal: asking.signal })
    isOpen = answer.status === 200 && /^text\/event-stream\b/i.test(answer.headers.get("content-type") ?? "")
    if (!isOpen) return
    const reader = answer.body!.getReader()
    // A comment is a sign of life and no event.
    for (; first === undefined || !/^(data|event)/m.test(first);) {
      const { done, value } = await reader.read()
      if (done) return void (isOpen = first !== undefined)
      first = Buffer.from(value).toString("utf8")
    }
  }
  try {
    await within(perform, Math.min(timeoutMs, firstEventMs), asked())
  } finally {
    signal.removeEventListener("abort", stop)
    asking.abort()
  }
  signal.throwIfAborted()
  return isOpen && !/^event: ?endpoint\r?$/m.test(first ?? "")
}
