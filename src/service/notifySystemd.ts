import { spawn } from "node:child_process"

/** What systemd is told of the service's life, one assignment each. */
export type ServiceState = "READY=1" | "STOPPING=1" | "RELOADING=1" | "WATCHDOG=1" | `MONOTONIC_USEC=${bigint}`

const mostMs = 5000

/**
 * Tells systemd, where it has started this process (`NOTIFY_SOCKET` is set) and wants to know. Node has no datagram sockets of
 * the kind that it listens on, so its own `systemd-notify` speaks for us; the unit therefore needs `NotifyAccess=all`.
 */
export const notifySystemd = async (log: (line: string) => unknown, ...states: ReadonlyArray<ServiceState>): Promise<void> => {
  const socket = process.env["NOTIFY_SOCKET"]
  if (socket === undefined || socket === "") return
  const problem = await new Promise<string | undefined>((resolve) => {
    const child = spawn("systemd-notify", [`--pid=${process.pid}`, ...states], { stdio: "ignore", timeout: mostMs, killSignal: "SIGKILL" })
    child.once("error", (error) => resolve(error.message))
    child.once("exit", (code, signal) => resolve(code === 0 ? undefined : `it ended with ${code ?? signal}`))
  })
  if (problem !== undefined)
    void log(`systemd could not be told ${states[0]}: systemd-notify: ${problem}. Install it, or use Type=exec in the unit.`)
}

/** Tells that the service reloads until `reloaded` settles, as `Type=notify-reload` wants it: with the time of the beginning. */
export const whileReloading = async <Result>(log: (line: string) => unknown, reload: () => Promise<Result>): Promise<Result> => {
  await notifySystemd(log, "RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  try {
    return await reload()
  } finally {
    await notifySystemd(log, "READY=1")
  }
}

/**
 * Where the unit has a `WatchdogSec=`, says twice in that time that the event loop turns; systemd restarts a service that does
 * not. @returns ends it
 */
export const feedWatchdog = (log: (line: string) => unknown): (() => void) => {
  const { WATCHDOG_PID: pid = String(process.pid), WATCHDOG_USEC: microseconds } = process.env
  const everyMs = Number(microseconds) / 2000
  if (pid !== String(process.pid) || !(everyMs > 0)) return () => {}
  const timer = setInterval(() => void notifySystemd(log, "WATCHDOG=1"), everyMs).unref()
  return () => clearInterval(timer)
}
