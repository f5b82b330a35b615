import { spawn } from "node:child_process"

/** What systemd is told of the service's life. */
export type ServiceState = "READY=1" | "STOPPING=1"

const mostMs = 5000

/**
 * Tells systemd, where it has started this process (`NOTIFY_SOCKET` is set) and wants to know. Node has no datagram sockets of
 * the kind that it listens on, so its own `systemd-notify` speaks for us; the unit therefore needs `NotifyAccess=all`.
 */
export const notifySystemd = async (state: ServiceState, log: (line: string) => unknown): Promise<void> => {
  const socket = process.env["NOTIFY_SOCKET"]
  if (socket === undefined || socket === "") return
  const problem = await new Promise<string | undefined>((resolve) => {
    const child = spawn("systemd-notify", [`--pid=${process.pid}`, state], { stdio: "ignore", timeout: mostMs, killSignal: "SIGKILL" })
    child.once("error", (error) => resolve(error.message))
    child.once("exit", (code, signal) => resolve(code === 0 ? undefined : `it ended with ${code ?? signal}`))
  })
  if (problem !== undefined)
    void log(`systemd could not be told ${state}: systemd-notify: ${problem}. Install it, or use Type=exec in the unit.`)
}
