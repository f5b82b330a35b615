import { ServiceClient, type ServiceStatus } from "../../service/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { serviceAddress } from "../serviceAddress.ts"
import { type Rates, ratesBetween, serviceSummary, serviceTree } from "../serviceTree.ts"
import { mostScrolled, topFrame } from "../topFrame.ts"
import { UsageError } from "../UsageError.ts"

const lookMs = 1000

/** With `--once`, the time over which the rates are measured. */
const onceMs = 500

const keys = {
  quit: ["q", "Q", "\u0003", "\u0004"],
  up: ["\u001b[A", "k"],
  down: ["\u001b[B", "j"],
  pageUp: ["\u001b[5~"],
  pageDown: ["\u001b[6~", " "]
}

const alternateScreen = "\u001b[?1049h\u001b[?25l"
const usualScreen = "\u001b[?25h\u001b[?1049l"

/** Shows what a service does, once a second, until `q`; with `--once` prints one picture. */
export const top = async ({ flags, output }: Invocation): Promise<number> => {
  const client = await ServiceClient.open(serviceAddress(flags))
  if (flags.once === true) {
    const before = await client.status()
    await pause(onceMs)
    const now = await client.status()
    for (const line of [serviceSummary(now), ...serviceTree(now, ratesBetween(before, now))]) await output.line(line)
    return exitStatus.done
  }
  if (!process.stdout.isTTY || !process.stdin.isTTY)
    throw new UsageError("top needs a terminal; --once prints one picture anywhere.", "top")
  // What is wrong from the start is told as an error, not on the screen.
  await showLive(client, await client.status())
  return exitStatus.done
}

const showLive = async (client: ServiceClient, first: ServiceStatus): Promise<void> => {
  const { stdin, stdout } = process
  let status = first
  let rates: Rates = new Map()
  let problem: string | undefined
  let scrolled = 0
  const size = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 })
  const draw = () => {
    const frame = topFrame({ url: client.url, status, rates, problem, scrolled }, size())
    // Each line erases what it leaves, so that nothing flickers.
    stdout.write(`\u001b[H${frame.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`)
  }
  const look = async () => {
    try {
      const now = await client.status()
      rates = ratesBetween(status, now)
      status = now
      problem = undefined
    } catch (error) {
      problem = `${error instanceof Error ? error.message : String(error)} Trying again; q quits.`
    }
  }
  let quit = () => {}
  const hasQuit = new Promise<void>((resolve) => (quit = resolve))
  const onKey = (key: string) => {
    if (keys.quit.includes(key)) return quit()
    const page = Math.max(1, size().rows - 4)
    const step = keys.up.includes(key)
      ? -1
      : keys.down.includes(key)
        ? 1
        : keys.pageUp.includes(key)
          ? -page
          : keys.pageDown.includes(key)
            ? page
            : 0
    scrolled = Math.max(0, Math.min(scrolled + step, mostScrolled(status, size().rows)))
    draw()
  }
  // Whatever ends the process, the terminal is left as it was.
  const restore = () => stdout.write(usualScreen)
  process.once("exit", restore)
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, quit)
  stdin.setRawMode(true).setEncoding("utf8").on("data", onKey)
  stdout.on("resize", draw)
  stdout.write(alternateScreen)
  try {
    let isOver = false
    void hasQuit.then(() => (isOver = true))
    while (!isOver) {
      draw()
      await Promise.race([pause(lookMs), hasQuit])
      if (!isOver) await Promise.race([look(), hasQuit])
    }
  } finally {
    stdout.off("resize", draw)
    stdin.off("data", onKey).setRawMode(false).pause()
    process.off("exit", restore)
    restore()
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
