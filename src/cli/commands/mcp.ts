import { serveMcpHttp, serveMcpStdio } from "../../service/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { packageVersion } from "../packageVersion.ts"
import { serviceAddress } from "../serviceAddress.ts"
import { listenForSignals } from "../ShutdownSignals.ts"
import { startHost } from "../withHost.ts"
import { within } from "../within.ts"

/** What the streams of agents are given to end when the server does. */
const closingMs = 2000

/** Serves MCP until the client goes or a signal comes. Standard output belongs to the protocol alone. */
export const mcp = async ({ flags, output }: Invocation): Promise<number> => {
  const log = (line: string) => output.problem(line)
  const signals = listenForSignals({ shutdownTimeoutMs: closingMs, lastWords: () => {} })
  const host = await startHost({ ...flags, json: true }, output)
  try {
    const version = await packageVersion()
    if (flags.http !== true) {
      if (["host", "port", "token-file", "allow-host"].some((name) => flags[name as "host"] !== undefined)) {
        await log("--host, --port, --token-file and --allow-host say nothing without --http.")
        return exitStatus.usage
      }
      const running = await serveMcpStdio({ host, version, log })
      await Promise.race([running.closed, signals.first, output.closed])
      await within(closingMs, running.close(), () => {})
      return exitStatus.done
    }
    const { address, hosts, tokenFile } = serviceAddress(flags)
    const running = await serveMcpHttp({ host, version, log, address, hosts, tokenFile })
    await log(`Listening on ${running.url}/mcp; the token is in ${tokenFile}.`)
    await signals.first
    await within(closingMs, running.close(), () => {})
    return exitStatus.done
  } finally {
    await within(closingMs, host.stop({ timeout: 0 }), () => {})
    signals.release()
  }
}
