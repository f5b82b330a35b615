import { initialTransition, setup, transition } from "xstate"

/** Where an MCP stream is, as `:mcp.stream.inspect` says it. */
export type McpStatus = "active" | "paused" | "cancelled" | "completed" | "stopped" | "error"

export type McpEvent = "pause" | "resume" | "complete" | "stop" | "cancel" | "fail" | "restart"

/**
 * What becomes of an MCP stream by its processor's actions and by calls. The three ends are for good; from an error it goes
 * on only where its supervisor starts it again, as it was before.
 *
 * ```
 *  active ⇄ paused ─┬→ completed | stopped | cancelled
 *     └──────fail───┴→ error ─restart→ active
 * ```
 */
export const mcpStreamLifecycle = setup({ types: { events: {} as { readonly type: McpEvent } } }).createMachine({
  id: "mcp-stream",
  initial: "active",
  states: {
    active: { on: { pause: "paused", complete: "completed", stop: "stopped", cancel: "cancelled", fail: "error" } },
    paused: { on: { resume: "active", complete: "completed", stop: "stopped", cancel: "cancelled", fail: "error" } },
    error: { on: { restart: "active", stop: "stopped", cancel: "cancelled" } },
    completed: { type: "final" },
    stopped: { type: "final" },
    cancelled: { type: "final" }
  }
})

/** The status after an event; the same where the event has no place in it. */
export const nextStatus = (status: McpStatus, event: McpEvent): McpStatus => {
  const [initial] = initialTransition(mcpStreamLifecycle)
  const before = status === "active" ? initial : mcpStreamLifecycle.resolveState({ value: status })
  const [after] = transition(mcpStreamLifecycle, before, { type: event })
  return after.value as McpStatus
}

export const isEnd = (status: McpStatus): boolean => status === "completed" || status === "stopped" || status === "cancelled"
